"""The candidate and the current release on the same rows: those of earlier releases, and the new ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import RunConfig
from tuneloop.core.paths import Workspace
from tuneloop.data.augment import perturbed
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples
from tuneloop.data.near import content_key
from tuneloop.data.perturbations.base import keeping_perturbations
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.evaluation.paired import Difference, compare
from tuneloop.inference.ruling import final_scores, settle
from tuneloop.loop.gate import NEW, Evidence, Kind
from tuneloop.releases.auditing import earlier_snapshots

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Task


@dataclass(frozen=True)
class Rows:
    """Rows that judge.

    Args:
        name: of the release whose data they are, or "new".
        classes: how many classes that data has.
        left_out: rows on which one of the two models was trained.
    """

    name: str
    kind: Kind
    examples: Examples
    classes: int
    left_out: int


class Judge:
    """Compares candidates with the current release; what the release answers is asked for once.

    Args:
        current: what the current release answers with.
        config: of the candidates.
        new: the new rows.
        trained: texts that the current release was trained on, as `comparables`.

    Raises:
        ConfigError: if there is no such perturbation, or one changes the right answer.
    """

    def __init__(
        self, current: Any, config: RunConfig, new: Snapshot, *, trained: Collection[str], workspace: Workspace
    ) -> None:
        self.current, self.config = current, config
        names = config.update.gate.perturbations
        self._made = keeping_perturbations(names, setting="update.gate.perturbations") if names else []
        self.left_out: dict[str, str] = {}
        self._trained = {*trained, *comparables(new.split("train"))}
        self._data: dict[str, Snapshot] = {}
        known = {*current.task.labels, *new.labels}
        old = earlier_snapshots(config.name, before="", without=new.hash, workspace=workspace)
        for name, snapshot in old.items():
            if snapshot.task != new.task or set(snapshot.labels) - known:
                self.left_out[name] = "unknown_classes"
            else:
                self._data[name] = snapshot
        self._data[NEW] = new
        self._rows: dict[str, list[Rows]] = {}
        self._answers: dict[tuple[str, str, str], FloatArray] = {}

    def rows(self, split: str) -> list[Rows]:
        """The rows of dev or test of every data that judges, without those that one of the models has learnt from."""
        if split in self._rows:
            return self._rows[split]
        found: list[Rows] = []
        for name, snapshot in self._data.items():
            examples = snapshot.split(split)
            fresh = [row for row, text in enumerate(comparables(examples)) if text not in self._trained]
            if fresh:
                kind: Kind = "new" if name == NEW else "old"
                left = len(examples) - len(fresh)
                found.append(Rows(name, kind, examples.select(fresh), len(snapshot.labels), left))
            else:
                self.left_out[name] = "trained_on"
        self._rows[split] = found
        return found

    def evidence(self, candidate: Any, split: str) -> list[Evidence]:
        """How a candidate compares on each of these; on test on their perturbed texts too, where any are asked for."""
        judging = list(self.rows(split))
        if split == "test" and self._made:
            judging += [each for each in map(self._perturbed, self.rows(split)) if len(each.examples)]
        return [self._compared(candidate, rows, split) for rows in judging]

    def _perturbed(self, rows: Rows) -> Rows:
        """The rows that a perturbation, drawn for each of them, changes."""
        texts = []
        for name, text in zip(rows.examples.ids, rows.examples.texts, strict=True):
            random = np.random.default_rng(list(content_key(f"{name}\n{text}", seed=self.config.seed)))
            texts.append(perturbed(text, self._made, 1, random))
        changed = [row for row, text in enumerate(rows.examples.texts) if texts[row] != text]
        if not changed:
            self.left_out[rows.name] = "unchanged"
        examples = replace(rows.examples, texts=texts).select(changed)
        # a class without such rows would make every difference smaller: see `of_classes`
        names = {name for label in examples.labels for name in (label if isinstance(label, tuple) else (label,))}
        return Rows(rows.name, "perturbed", examples, min(rows.classes, len(names)), rows.left_out)

    def _compared(self, candidate: Any, rows: Rows, split: str) -> Evidence:
        place = (rows.name, rows.kind, split)
        if place not in self._answers:
            self._answers[place] = final_scores(self.current, rows.examples.inputs)
        task = candidate.task
        found = compare(
            task,
            rows.examples.labels,
            final_scores(candidate, rows.examples.inputs),
            among(task, self.current.task, self._answers[place]),
            seed=self.config.seed,
            resamples=self.config.evaluation.resamples,
        )
        plain = Difference(**{each.name: getattr(found, each.name) for each in fields(Difference)})
        return Evidence(rows.name, rows.kind, len(rows.examples), of_classes(plain, task, rows.classes))


def among(task: Task, own: Task, scores: FloatArray) -> FloatArray:
    """Scores of a model with other classes as those of `task`: what it does not know it never answers.

    So it is wrong on every row of a class that it does not know.
    """
    labels: Sequence[str] = task.labels
    if tuple(labels) == tuple(own.labels):
        return scores
    wide = np.zeros((len(scores), len(labels)), scores.dtype)
    for column, name in enumerate(own.labels):
        if name in labels:
            wide[:, labels.index(name)] = scores[:, column]
    return settle(task, wide, own.decide(scores))


def of_classes(found: Difference, task: Task, classes: int) -> Difference:
    """A difference in macro-F1 as the mean over the classes of the rows' own data.

    Classes that cannot occur there have an F1 of 0 in both models. They would make every difference smaller, and a
    margin of two points a wider one with each class that an update adds.
    """
    if not found.metric.startswith("macro") or not classes:
        return found
    factor = len(task.labels) / classes
    return replace(
        found,
        value_a=found.value_a * factor,
        value_b=found.value_b * factor,
        difference=found.difference * factor,
        low=found.low * factor,
        high=found.high * factor,
    )
