"""Self-training: what the model says with certainty of texts without labels becomes their label."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.data.batches import training_batches
from tuneloop.methods.base import check_one_class
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.split import Split
from tuneloop.models.forward import predict_logits
from tuneloop.tasks.temperature import fit_temperature

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, Sources
    from tuneloop.tasks.base import FloatArray, Task

UNKNOWN = -1

FEWEST = 10
"""Answers of a class on dev that a threshold of its own rests on, at least."""


class SelfTrainingOptions(FullOptions):
    """Options of self-training."""

    texts: str = Field(
        description="A file of texts without labels, or sample:NAME; those of dev and test are left out."
    )
    threshold: float = Field(0.9, gt=0, lt=1, description="Calibrated probability from which an answer is a label.")
    precision: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of a class's answers that are right on dev, from which it has a threshold of "
        "its own in place of method.threshold; 0 for none.",
    )
    rounds: int = Field(2, ge=1, description="How often labels are given: after each of the first so many epochs.")
    weight: float = Field(
        1.0, gt=0, description="How much a text that the model has labelled counts beside one of yours."
    )


class SelfTraining(FullFineTuning):
    """The first epoch learns from the labels; after it, and after `rounds` - 1 more, the model labels the other texts.

    Lee, "Pseudo-Label" (2013), with labels given by the averaged weights without dropout and learnt by a model with
    it (Xie et al., "Self-training with Noisy Student", 2020). Probabilities are calibrated on dev; no class is given
    more often than among your labels, the surest texts first. With `precision` each class has the lowest threshold
    above which so large a share of its answers to dev is right, on `FEWEST` answers at least; a class that never
    reaches it gives no label. From then on half of the texts of an epoch are yours, or more, so that none of them is
    seen less often than one of the others. An epoch is as long as all texts.
    """

    name = "self_training"
    learns_probabilities = False
    Options = SelfTrainingOptions
    examples = {"texts": "more.csv"}  # noqa: RUF012
    options: SelfTrainingOptions
    chosen: IntArray | None = None
    """Rows that have been given a label; None before the first round."""

    def check(self, task: Task) -> None:
        check_one_class(task, method=self.name)

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        self._dev = sources.dev
        return Split(train.tokens.followed_by(sources.tokens(sources.unlabelled(self.options.texts))), train.labels)

    def batches(self, split: Split, *, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
        """As many steps as all texts take; which rows they take depends on what has been given a label, too."""
        count, known = len(split.tokens), len(split.labels)
        others = np.arange(known, count) if self.chosen is None else self.chosen
        share = 0 if epoch == 0 else min(count // 2, count * len(others) // (known + len(others)))
        random = np.random.default_rng([seed, epoch])
        rows = np.concatenate([cycled(np.arange(known), count - share, random), cycled(others, share, random)])
        batches = training_batches(split.tokens.lengths[rows], batch_size=batch_size, seed=seed, epoch=epoch)
        return [rows[batch] for batch in batches]

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        import torch

        self._task, self._precision, self._train, self._known = task, precision, train, len(train.labels)
        self._due = {per_epoch * number - 1 for number in range(1, self.options.rounds + 1)} - {total - 1}
        self._given = torch.full((len(train.tokens),), UNKNOWN, device=model.device)
        self._counts = torch.zeros((0, task.outputs), dtype=torch.int64)
        self._thresholds = torch.zeros((0, task.outputs), dtype=torch.float64)
        self.chosen, self._step = None, UNKNOWN

    def targets(self, known: torch.Tensor, rows: IntArray) -> torch.Tensor:
        import torch

        given = self._given[rows]
        return torch.where(given == UNKNOWN, known[rows], given)

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        losses = super().loss(model, task, batch, targets, rows)
        return losses * losses.new_tensor(np.where(rows < self._known, 1.0, self.options.weight))

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        self._step = step

    def before_evaluation(self, model: PreTrainedModel) -> None:
        if self._step not in self._due:
            return
        import torch

        dev = predict_logits(model, self._dev.tokens, self._precision)
        warm = fit_temperature(dev, self._dev.labels, self._task)
        others = self._train.tokens.select(np.arange(self._known, len(self._train.tokens)))
        scores = self._task.scores(predict_logits(model, others, self._precision) / warm)
        counts = np.bincount(self._task.targets(self._train.labels), minlength=self._task.outputs)
        if self.options.precision:
            answers = self._task.scores(dev / warm)
            found = class_thresholds(answers, self._task.targets(self._dev.labels), precision=self.options.precision)
            self._thresholds = torch.cat([self._thresholds, torch.from_numpy(found)[None]])
            rows = surest(scores, threshold=found, shares=counts / counts.sum())
        else:
            rows = surest(scores, threshold=self.options.threshold, shares=counts / counts.sum())
        classes = torch.from_numpy(scores[rows].argmax(axis=1))
        self.chosen = rows + self._known
        self._given.fill_(UNKNOWN)[self.chosen] = classes.to(model.device)
        number = torch.bincount(classes, minlength=self._task.outputs)
        self._counts = torch.cat([self._counts, number[None]])

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        rounds = [dict(zip(self._task.labels, counts, strict=True)) for counts in self._counts.tolist()]
        found = {"unlabelled_texts": len(self._train.tokens) - self._known, "pseudo_labels": rounds}
        if not self.options.precision:
            return found
        given = [[None if value > 1 else value for value in each] for each in self._thresholds.tolist()]
        return found | {"thresholds": [dict(zip(self._task.labels, each, strict=True)) for each in given]}

    def state(self) -> dict[str, torch.Tensor]:
        if self.chosen is None:
            return {}
        beside = {"thresholds": self._thresholds} if self.options.precision else {}
        return {"given": self._given, "counts": self._counts, **beside}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        if state:
            self._given.copy_(state["given"])
            self._counts = state["counts"]
            self._thresholds = state.get("thresholds", self._thresholds)
            self.chosen = np.flatnonzero(state["given"].numpy() != UNKNOWN)


def class_thresholds(scores: FloatArray, truth: IntArray, *, precision: float) -> FloatArray:
    """For each class the lowest probability from which its answers are right in a share of `precision`, (classes,).

    Args:
        scores: of rows of dev, (n, classes).
        truth: their classes, (n,).

    Returns:
        float64; 2, which no probability reaches, for a class without such a threshold on `FEWEST` answers.
    """
    classes, sure = scores.argmax(axis=1), scores.max(axis=1).astype(np.float64)
    found = np.full(scores.shape[1], 2.0)
    for number in range(scores.shape[1]):
        rows = np.flatnonzero(classes == number)
        rows = rows[np.argsort(-sure[rows], kind="stable")]
        right = np.cumsum(truth[rows] == number) / np.arange(1, len(rows) + 1)
        # equal probabilities are reached together: the last of them speaks for all
        last = np.append(sure[rows][1:] < sure[rows][:-1], True)[: len(rows)]
        enough = np.flatnonzero((right >= precision) & last & (np.arange(1, len(rows) + 1) >= FEWEST))
        if len(enough):
            found[number] = sure[rows[enough[-1]]]
    return found


def surest(scores: FloatArray, *, threshold: float | FloatArray, shares: FloatArray) -> IntArray:
    """The rows of `scores` (n, classes) that are given their class, sorted: those that reach the threshold.

    `threshold` is one for all or one for each class, (classes,).

    Of each class not more than its share, (classes,), of all that reach it: the surest.
    """
    classes, sure = scores.argmax(axis=1), scores.max(axis=1)
    reached = sure >= np.broadcast_to(threshold, shares.shape)[classes]
    kept = []
    for number, share in enumerate(shares):
        rows = np.flatnonzero(reached & (classes == number))
        order = np.argsort(-sure[rows], kind="stable")
        kept.append(rows[order][: math.ceil(share * reached.sum())])
    return np.sort(np.concatenate(kept))


def cycled(rows: IntArray, count: int, random: np.random.Generator) -> IntArray:
    """`count` rows: all in random order, again and again."""
    rounds = math.ceil(count / len(rows)) if count else 0
    order: IntArray = np.concatenate([rows[:0], *(random.permutation(rows) for _ in range(rounds))])
    return order[:count]
