"""Consistency training: a text without a label and its perturbed copy are to have the same answer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.augment import perturbed
from tuneloop.data.batches import training_batches
from tuneloop.data.perturbations.base import keeping_perturbations
from tuneloop.methods.base import check_one_class
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.self_training import cycled
from tuneloop.methods.split import Split
from tuneloop.models.forward import to_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Input
    from tuneloop.methods.base import IntArray, Sources
    from tuneloop.tasks.base import Task


class ConsistencyOptions(FullOptions):
    """Options of consistency training."""

    texts: str = Field(
        description="A file of texts without labels, or sample:NAME; those of dev and test are left out."
    )
    perturbations: tuple[str, ...] = Field(
        ("typos", "keyboard", "no_punctuation", "lower_case"),
        min_length=1,
        description="What is done to the copies; a copy has `together` of them.",
    )
    together: int = Field(2, ge=1, description="Perturbations of one copy, one after the other.")
    threshold: float = Field(
        0.8,
        ge=0,
        lt=1,
        description="Probability of the model's answer to a text from which its copy is to have it too.",
    )
    sharpness: float = Field(0.4, gt=0, le=1, description="The text's logits are divided by this: below 1 is surer.")
    weight: float = Field(1.0, gt=0, description="How much a copy counts beside one of your texts.")
    ramp_up: float = Field(0.3, ge=0, le=1, description="Share of the steps in which that weight rises from 0.")


class Consistency(FullFineTuning):
    """Loss on the labels + weight x cross-entropy between the answers to a text and to its perturbed copy.

    Xie et al., "Unsupervised Data Augmentation for Consistency Training" (2020), section 2.2 with sharpened answers
    and a threshold, as in Sohn et al., "FixMatch" (2020). The answer to the text is given without dropout and without
    a gradient. Half of the texts of an epoch are yours, half are copies; an epoch is as long as all of them. The copies
    are made once.
    """

    name = "consistency"
    learns_probabilities = False
    Options = ConsistencyOptions
    examples = {"texts": "more.csv"}  # noqa: RUF012
    options: ConsistencyOptions

    def check(self, task: Task) -> None:
        check_one_class(task, method=self.name)
        if self.options.frozen_layers or self.options.freeze_embeddings:
            raise ConfigError(
                t("method consistency reads each text twice in a step, and frozen layers are read once for all."),
                t("Leave method.frozen_layers and method.freeze_embeddings out."),
            )

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        made = keeping_perturbations(self.options.perturbations, setting="method.perturbations")
        random = np.random.default_rng([sources.seed, *b"consistency"])
        texts = sources.unlabelled(self.options.texts)

        def copy(item: Input) -> Input:
            if isinstance(item, tuple):
                return perturbed(item[0], made, self.options.together, random), item[1]
            return perturbed(item, made, self.options.together, random)

        originals, copies = sources.tokens(texts), sources.tokens([copy(item) for item in texts])
        return Split(train.tokens.followed_by(copies), train.labels, beside=originals)

    def batches(self, split: Split, *, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
        """As many steps as all texts take, half of the rows with a label."""
        count, known = len(split.tokens), len(split.labels)
        random = np.random.default_rng([seed, epoch])
        copies = cycled(np.arange(known, count), count // 2, random)
        rows = np.concatenate([cycled(np.arange(known), count - len(copies), random), copies])
        batches = training_batches(split.tokens.lengths[rows], batch_size=batch_size, seed=seed, epoch=epoch)
        return [rows[batch] for batch in batches]

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        import torch

        assert train.beside is not None
        self._originals = train.beside
        self._known, self._rising = len(train.labels), max(1, round(self.options.ramp_up * total))
        self._step, self._seen = 0, torch.zeros(2, dtype=torch.int64)

    def targets(self, known: torch.Tensor, rows: IntArray) -> torch.Tensor:
        """The class of a row; of each copy a number of its own below 0, as it has none."""
        return known[rows].where(known.new_tensor(rows) < self._known, -1 - known.new_tensor(rows))

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        import torch

        copies = np.flatnonzero(rows >= self._known)
        answers = self._answers(model, rows[copies]) if len(copies) else None
        # after the answers, so that who listens to the model hears what is learnt from last
        logits = model(**batch).logits.float()
        losses = task.loss(logits, targets.clamp(min=0))
        if answers is None:
            return losses
        sure = answers.softmax(dim=1).max(dim=1).values >= self.options.threshold
        self._seen += torch.tensor([len(copies), int(sure.sum())])
        wanted = (answers / self.options.sharpness).softmax(dim=1)
        apart = -(wanted * logits[copies].log_softmax(dim=1)).sum(dim=1) * sure
        rise = min(1.0, (self._step + 1) / self._rising)
        return losses.index_put((torch.from_numpy(copies).to(losses.device),), self.options.weight * rise * apart)

    def _answers(self, model: PreTrainedModel, copies: IntArray) -> torch.Tensor:
        """Logits of the texts that are behind copies, without dropout."""
        import torch

        with answering(model), torch.no_grad():
            texts = to_tensors(model, self._originals, copies - self._known)
            logits: torch.Tensor = model.forward(**texts).logits.float()  # past the hooks of the whole model
        return logits

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        self._step = step + 1

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        seen, sure = self._seen.tolist()
        return {"unlabelled_texts": len(self._originals), "sure_enough": sure / seen if seen else 0.0}

    def state(self) -> dict[str, torch.Tensor]:
        import torch

        return {"step": torch.tensor(self._step), "seen": self._seen}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        if state:
            self._step, self._seen = int(state["step"]), state["seen"]


@contextmanager
def answering(model: PreTrainedModel) -> Iterator[None]:
    """Inside the block no module drops anything; afterwards each is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
