"""A small decision tree over words that answers like a model, as rules, with how often it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.explain.units import units_of
from tuneloop.explain.wording import bare

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Input
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

CLASSES = ("classification", "pair")
"""Tasks whose answer is one class."""
DEPTH = 3
MOST_ROWS = 2000
MOST_WORDS = 500
LEAST_IN_LEAF = 5


@dataclass(frozen=True)
class Rule:
    """One way through the tree.

    Args:
        having: words that a text must have.
        lacking: words that it must not have.
        answer: what the tree says then.
        rows: held-out rows that go this way.
        agreeing: those of them that the model answers alike.
    """

    having: tuple[str, ...]
    lacking: tuple[str, ...]
    answer: str
    rows: int
    agreeing: int


@dataclass(frozen=True)
class Rules:
    """A tree as rules, of which exactly one holds for each text.

    Args:
        rules: those with the most held-out rows first.
        fidelity: share of the held-out rows on which the tree answers as the model does.
        majority: the same of the answer that the model gives most often, whatever the text.
        rows: held-out rows.
        fitted_on: training rows to whose answers the tree was fitted.
        asked: answers of the model that it took.
    """

    rules: tuple[Rule, ...]
    fidelity: float
    majority: float
    rows: int
    fitted_on: int
    asked: int


def fit_rules(
    model: ModelHandle, train: Examples, held_out: Sequence[Input], scores: FloatArray, *, seed: int = 0
) -> Rules:
    """A tree of depth `DEPTH` fitted to the model's answers to training rows, judged on held-out rows.

    Args:
        model: what answers with one class.
        train: rows, of which at most `MOST_ROWS` are asked for.
        held_out: inputs that are not among them.
        scores: what the model says of the held-out ones.
        seed: of the choice of rows, and of ties in the tree.
    """
    from sklearn.tree import DecisionTreeClassifier

    rows = np.sort(np.random.default_rng(seed).permutation(len(train))[:MOST_ROWS]).tolist()
    inputs = train.select(rows).inputs
    read = [_words(item) for item in inputs]
    answers = np.array(model.task.decide(np.asarray(model.scores(inputs), dtype=np.float32)))
    names = _names(read)
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=LEAST_IN_LEAF, random_state=seed)
    tree.fit(_presence(read, names), answers)
    unseen = _presence([_words(item) for item in held_out], names)
    said, leaves = tree.predict(unseen), tree.apply(unseen)
    meant = np.array(model.task.decide(scores.astype(np.float32)))
    values, counts = np.unique(answers, return_counts=True)
    found = [
        Rule(having, lacking, answer, int((leaves == leaf).sum()), int(((leaves == leaf) & (meant == answer)).sum()))
        for leaf, having, lacking, answer in _leaves(tree, names)
    ]
    return Rules(
        tuple(sorted(found, key=lambda rule: -rule.rows)), float((said == meant).mean()),
        float((meant == values[counts.argmax()]).mean()), len(held_out), len(inputs), len(inputs),
    )  # fmt: skip


def _words(item: Input) -> set[str]:
    texts = (item,) if isinstance(item, str) else item
    return {bare(unit.text) for text in texts for unit in units_of(text)} - {""}


def _names(read: Sequence[set[str]]) -> list[str]:
    """The words of most rows, by the alphabet where they stand in equally many."""
    count: dict[str, int] = {}
    for words in read:
        for word in words:
            count[word] = count.get(word, 0) + 1
    return sorted(count, key=lambda word: (-count[word], word))[:MOST_WORDS]


def _presence(read: Sequence[set[str]], names: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """1 where a row has a word, (rows, words)."""
    found = np.zeros((len(read), len(names)), dtype=np.float32)
    place = {name: number for number, name in enumerate(names)}
    for row, words in enumerate(read):
        found[row, [place[word] for word in words if word in place]] = 1
    return found


def _leaves(tree: Any, names: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...], tuple[str, ...], str]]:
    """Each leaf: its number, the words that lead to it, those that must be absent, its answer."""
    inner = tree.tree_
    open_nodes: list[tuple[int, tuple[str, ...], tuple[str, ...]]] = [(0, (), ())]
    while open_nodes:
        node, having, lacking = open_nodes.pop()
        if inner.children_left[node] < 0:
            yield node, having, lacking, str(tree.classes_[inner.value[node][0].argmax()])
            continue
        word = names[inner.feature[node]]
        open_nodes.append((int(inner.children_left[node]), having, (*lacking, word)))  # below 0.5: it is absent
        open_nodes.append((int(inner.children_right[node]), (*having, word), lacking))


def sentences(rules: Mapping[str, Any]) -> list[str]:
    """The rules and how well they stand for the model, from JSON, in the language in force."""
    said = [
        t("These rules answer {fidelity:.1%} of {rows} held-out rows as the model does; its most usual answer alone "
          "does so for {majority:.1%}.", **{key: rules[key] for key in ("fidelity", "rows", "majority")})
    ]  # fmt: skip
    return said + [_sentence(rule) for rule in rules["rules"]]


def _sentence(rule: Mapping[str, Any]) -> str:
    conditions = [t("with {word!r}", word=word) for word in rule["having"]]
    conditions += [t("without {word!r}", word=word) for word in rule["lacking"]]
    return t("{conditions}: {answer} ({agreeing} of {rows} rows)",
             conditions=", ".join(conditions) or t("always"), answer=rule["answer"],
             agreeing=rule["agreeing"], rows=rule["rows"])  # fmt: skip
