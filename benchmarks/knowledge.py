"""Retrieval and abstaining over documents: how often the right passage is found, and how often silence is right.

    python -m benchmarks.knowledge

Two collections: the documents of this project with questions written by hand (`knowledge_questions.jsonl`: the sections
that answer, or none), half English, half Chinese; and 5,000 passages of installed packages (`benchmarks.passages`). Of
each set every second question is dev, on which what words count in hybrid search and the thresholds of abstaining
are chosen; the figures of the others are reported. Writes `benchmarks/quality/knowledge.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import passages
from benchmarks.release import WORKSPACE
from benchmarks.results import QUALITY
from tuneloop.core.fsio import write_json
from tuneloop.evaluation.intervals import draws, interval
from tuneloop.knowledge.answers import evidence
from tuneloop.knowledge.documents import plain
from tuneloop.knowledge.index import Hit, Index
from tuneloop.releases.knowledge import open_knowledge

ROOT = Path(__file__).parents[1]
PATH = QUALITY / "knowledge.json"
QUESTIONS = Path(__file__).with_name("knowledge_questions.jsonl")
DOCUMENTS = ("docs/*.md", "docs/decisions/*.md", "README.md", "README.zh-CN.md")
LEFT_OUT = ("docs/knowledge.md", "docs/knowledge.zh-CN.md")
"""They speak of these questions."""

EVEN = (1, 2, 3, 4, 5, 6, 8, 12, 16)
K, DEEP, RANK = 5, 100, 60
RESAMPLES = 5000
WAYS = ("bm25", "vector", "ranks", "hybrid")


class Case(NamedTuple):
    """A question and what tells a passage that answers it."""

    kind: str
    question: str
    answers: Callable[[Hit], bool]
    answerable: bool = True


class Remembering:
    """An embedder that computes each text once."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.identity, self.known = inner, inner.identity, inner.known
        self.kept: dict[str, Any] = {}

    def __call__(self, texts: Sequence[str]) -> Any:
        for text in texts:
            if text not in self.kept:
                self.kept[text] = self.inner([text])[0]
        return np.stack([self.kept[text] for text in texts])


def own_documents() -> Index:
    """The index of this project's documents."""
    index = open_knowledge("documents", workspace=WORKSPACE.root, create=True)
    index.add([str(path) for pattern in DOCUMENTS for path in sorted(ROOT.glob(pattern))
               if path.relative_to(ROOT).as_posix() not in LEFT_OUT], base=ROOT)  # fmt: skip
    return index


def many_passages() -> Index:
    """The index of the 5,000 passages."""
    source = WORKSPACE.root / "passages.jsonl"
    source.parent.mkdir(parents=True, exist_ok=True)
    passages.write(source)
    index = open_knowledge("passages", workspace=WORKSPACE.root, create=True)
    index.add([source], base=WORKSPACE.root)
    return index


def hand_written() -> list[Case]:
    """The questions about this project."""
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    return [Case(f"documents-{row['language']}", row["question"], _in(row["sections"]), bool(row["sections"]))
            for row in rows]  # fmt: skip


def of_packages() -> list[Case]:
    """The questions that the passages answer."""
    return [Case(each.kind, each.question, _says(each.answer)) for each in passages.questions()]


def measure() -> dict[str, Any]:
    """All figures."""
    places = [(own_documents(), [case for case in hand_written() if case.answerable]), (many_passages(), of_packages())]
    for index, _ in places:
        index.embedder = Remembering(index.embedder)
    ranks = [_ranks(index, case) | {"kind": case.kind} for index, cases in places for case in cases]
    kinds = list(dict.fromkeys(row["kind"] for row in ranks))
    dev, test = _halves(ranks, "kind")
    even = max(EVEN, key=lambda each: (_macro(dev, kinds, each, _hits), _macro(dev, kinds, each, _reciprocals)))
    for row in ranks:
        row["hybrid"] = row[even]
    sets = {kind: [row for row in test if row["kind"] == kind] for kind in kinds} | {"all": test}
    return {
        "questions": {kind: sum(row["kind"] == kind for row in ranks) for kind in kinds},
        "chunks": {"documents": _chunks(places[0][0]), "passages": _chunks(places[1][0])},
        "words that count as much as meaning, chosen on dev": even,
        "dev recall@5, mean of the sets": {str(each): round(_macro(dev, kinds, each, _hits), 3) for each in EVEN},
        "recall@5 on test": {name: {way: _figure(_hits(rows, way)) for way in WAYS} for name, rows in sets.items()},
        "MRR@10 on test": {name: {way: round(_reciprocals(rows, way).mean(), 3) for way in WAYS}
                           for name, rows in sets.items()},
        "recall@5 of hybrid minus the better half": {name: _against(rows) for name, rows in sets.items()},
        "abstaining": abstaining(*(index for index, _ in places)),
    }  # fmt: skip


def abstaining(documents: Index, packages: Index) -> dict[str, Any]:
    """Error rates of `ask` at the threshold that does best on the dev half of the questions written by hand.

    A question counts as answerable if one of the five passages answers it. Of the passages, the same questions are
    asked again with their answers left out: what remains speaks of the same things and does not answer.
    """
    found: dict[str, Any] = {}
    for name, mode in (("with vectors", "hybrid"), ("words alone", "bm25")):
        rows = [_evidence(documents, case, mode) for case in hand_written()]
        dev, test = _halves([row for row in rows if row], "group")
        threshold = min(np.arange(0.05, 0.95, 0.01), key=lambda each: (round(sum(_errors(dev, each)), 4), -each))
        near = [row for case in of_packages() for row in (_evidence(packages, case, mode),
                _evidence(packages, case, mode, without=True)) if row]  # fmt: skip
        sets = {"documents, dev": dev, "documents, test": test, "passages, answers left out": near}
        found[name] = {
            set_name: {
                "threshold": round(float(threshold), 2), "answerable": sum(row["right"] for row in part),
                "not answered": round(_errors(part, threshold)[0], 3),
                "unanswerable": sum(not row["right"] for row in part),
                "answered": round(_errors(part, threshold)[1], 3),
            }
            for set_name, part in sets.items()
        }  # fmt: skip
    return found


def _evidence(index: Index, case: Case, mode: Any, *, without: bool = False) -> dict[str, Any] | None:
    """The support of a question; None if there are no hits, or it could be answered and its answer was not found."""
    hits = index.search(case.question, k=2 * K, mode=mode)
    if without:
        hits = [hit for hit in hits if not case.answers(hit)]
    hits = hits[:K]
    right = any(map(case.answers, hits))
    if case.answerable and not right and not without:
        return None
    score = evidence(case.question, hits, index).score if hits else 0.0
    return {"group": f"{case.kind}-{right}", "right": right, "score": score}


def _errors(rows: Sequence[dict[str, Any]], threshold: float) -> tuple[float, float]:
    """Shares of the answerable that are not answered, and of the others that are."""
    silent = [row["score"] < threshold for row in rows if row["right"]]
    spoken = [row["score"] >= threshold for row in rows if not row["right"]]
    return sum(silent) / len(silent), sum(spoken) / len(spoken)


def _ranks(index: Index, case: Case) -> dict[Any, int]:
    """At which place each way of searching has the first passage that answers, from 1; 0 if not among ten."""
    lists = {mode: index.search(case.question, k=DEEP, mode=mode) for mode in ("bm25", "vector")}
    together: Counter[int] = Counter()
    for hits in lists.values():
        for place, hit in enumerate(hits, 1):
            together[hit.passage.id] += 1 / (RANK + place)  # reciprocal rank fusion, Cormack et al. (2009)
    by_id = {hit.passage.id: hit for hits in lists.values() for hit in hits}
    order = sorted(together, key=lambda number: (-together[number], number))
    lists["ranks"] = [by_id[number] for number in order]
    found: dict[Any, int] = {way: _place(hits, case) for way, hits in lists.items()}
    return found | {
        even: _place(index.search(case.question, k=10, mode="hybrid", even_words=even), case) for even in EVEN
    }


def _place(hits: Sequence[Hit], case: Case) -> int:
    return next((place for place, hit in enumerate(hits[:10], 1) if case.answers(hit)), 0)


def _halves(rows: Sequence[dict[str, Any]], key: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every second row of each group."""
    seen: Counter[str] = Counter()
    halves: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for row in rows:
        halves[seen[row[key]] % 2].append(row)
        seen[row[key]] += 1
    return halves


def _hits(rows: Sequence[dict[str, Any]], way: Any) -> Any:
    return np.array([0 < row[way] <= K for row in rows], float)


def _reciprocals(rows: Sequence[dict[str, Any]], way: Any) -> Any:
    return np.array([1 / row[way] if row[way] else 0.0 for row in rows])


def _macro(rows: Sequence[dict[str, Any]], kinds: Sequence[str], way: Any, figure: Callable[..., Any]) -> float:
    return float(np.mean([figure([row for row in rows if row["kind"] == kind], way).mean() for kind in kinds]))


def _figure(values: Any) -> str:
    low, high = interval(_resampled(values))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def _against(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The difference to the better half on the same questions: interval of a paired bootstrap, exact McNemar test."""
    from scipy.stats import binomtest

    better = max(("bm25", "vector"), key=lambda way: _hits(rows, way).mean())
    change = _hits(rows, "hybrid") - _hits(rows, better)
    low, high = interval(_resampled(change))
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return {
        "better half": better, "difference": round(float(change.mean()), 3), "low": round(float(low), 3),
        "high": round(float(high), 3), "questions": len(rows), "gained": gained, "lost": lost, "p": round(float(p), 4),
    }  # fmt: skip


def _resampled(values: Any) -> Any:
    return np.concatenate(
        [weights @ values / len(values) for weights in draws(len(values), resamples=RESAMPLES, seed=0)]
    )


def _chunks(index: Index) -> int:
    return sum(entry.chunks for entry in index.documents())


def _in(sections: Sequence[str]) -> Callable[[Hit], bool]:
    return lambda hit: f"{hit.passage.document}#{hit.passage.section.split(' > ')[-1]}" in sections


def _says(answer: str) -> Callable[[Hit], bool]:
    wanted = plain(answer)
    return lambda hit: hit.passage.text == wanted


def main() -> None:
    """Measure and record."""
    found = measure()
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, found)
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
