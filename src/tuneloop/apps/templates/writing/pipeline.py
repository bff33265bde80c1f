"""From forty examples to a release of the writer: `python pipeline.py`; then `python measure.py`."""

import json
from pathlib import Path

from actions import messages

import tuneloop as tl


def rows(name: str) -> list[dict]:
    """The objects of a file, one in each line."""
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def talk(row: dict) -> dict:
    """An example as a conversation."""
    asked = messages(row["action"], row["text"], row.get("tone", ""))
    return {"messages": [*asked, {"role": "assistant", "content": row["answer"]}]}


def main() -> None:
    """Conversations of the examples, and a release that has seen them."""
    Path("data").mkdir(exist_ok=True)
    lines = (json.dumps(talk(row), ensure_ascii=False) for row in rows("actions.jsonl"))
    Path("data/talks.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    release = tl.release(tl.tune("tuneloop.yaml"))
    print(release.id, {name: value["value"] for name, value in release.evaluation["metrics"].items()})


if __name__ == "__main__":
    main()
