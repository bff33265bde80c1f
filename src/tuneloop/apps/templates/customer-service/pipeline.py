"""From messages and a handbook to two releases: `python pipeline.py`, again after each change."""

import csv
import json
import re
from pathlib import Path

import tuneloop as tl

DETAIL = re.compile(r"\[([^]]+)\]\((\w+)\)")


def read(path: Path) -> list[tuple[str, str, list[dict]]]:
    """Intent, text and details of each line."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            intent, marked = line.split("\t")
            text, details = "", []
            for number, part in enumerate(DETAIL.split(marked)):  # text, words, name, text, words, name, ..., text
                if number % 3 == 1:
                    details.append({"start": len(text), "end": len(text) + len(part)})
                if number % 3 == 2:
                    details[-1]["label"] = part
                else:
                    text += part
            rows.append((intent, text, details))
    return rows


def main() -> None:
    """Data, documents, and a release of each model."""
    rows, data = read(Path("messages.txt")), Path("data")
    data.mkdir(exist_ok=True)
    with (data / "intents.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, intent) for intent, text, _ in rows)])
    lines = (json.dumps({"text": text, "label": details}) for _, text, details in rows)
    (data / "slots.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with tl.open_knowledge("handbook", create=True) as index:
        index.add(["handbook"], prune=True)
    for config in ("tuneloop.yaml", "slots.yaml"):
        release = tl.release(tl.tune(config))
        print(release.id, {name: value["value"] for name, value in release.evaluation["metrics"].items()})


if __name__ == "__main__":
    main()
