"""Contrastive few-shot learning: texts of a class move together, then a linear head is solved for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuneloop.data.batches import inference_batches
from tuneloop.methods.base import check_one_class
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.probe import solve_head
from tuneloop.models.forward import head_inputs, judges_every_token
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, ParameterGroup
    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Task

FEWEST_STEPS = 6
"""Optimiser steps of a run with three epochs, at the least: few texts are seen again and again."""

PART_TOKENS = 1024
"""Padded tokens of a batch that go through the model at once."""

HEAD_TEXTS = 4096
"""Texts at most that the head is solved on at each evaluation, as many of each class as there are."""


class ContrastiveOptions(FullOptions):
    """Options of contrastive few-shot learning."""

    loss: Literal["cosine", "supcon"] = Field(
        "cosine", description="cosine: similarity 1 within a class and 0 between; supcon: nearer than all others."
    )
    temperature: float = Field(0.1, gt=0, description="Sharpness of supcon.")
    penalty: float = Field(1.0, gt=0, description="Strength of the L2 penalty of the head.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout of the model while its texts are compared.")
    rate_scale: float = Field(2.0, gt=0, description="Learning rate of the model relative to training.learning_rate.")
    freeze_embeddings: bool = Field(True, description="Keep the embeddings as they are.")


class Contrastive(FullFineTuning):
    """Each text of a batch is encoded once, and all pairs of the batch are compared; batches are balanced over classes.

    cosine: the loss of SetFit (Tunstall et al., "Efficient Few-Shot Learning Without Prompts", 2022) over the pairs of
    a batch, |cos(i, j) - [y_i = y_j]|^2. supcon: Khosla et al., "Supervised Contrastive Learning" (2020), equation 2.
    The head is logistic regression on the features, solved anew before each evaluation.
    """

    name = "contrastive"
    learns_probabilities = False
    Options = ContrastiveOptions
    options: ContrastiveOptions
    trains_answers = False
    compares_rows = True
    _reads_last = _reads_mean = False

    def check(self, task: Task) -> None:
        check_one_class(task, method=self.name)

    def prepare(self, model: PreTrainedModel) -> None:
        import torch

        super().prepare(model)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = self.options.dropout
        pooler = getattr(model.base_model, "pooler", None)
        if pooler is not None:  # the loss sees what comes before it
            pooler.requires_grad_(False)

    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        groups = super().parameter_groups(model)
        return [replace(group, scale=group.scale * self.options.rate_scale) for group in groups]

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        self._task, self._precision, self._reads_last = task, precision, judges_every_token(model)
        self._reads_mean = getattr(model.config, "classifier_pooling", "") == "mean"  # ModernBERT
        rows = np.unique(np.concatenate(_balanced(task.targets(train.labels), HEAD_TEXTS, np.random.default_rng(0))))
        self._tokens, self._labels = train.tokens.select(rows), [train.labels[row] for row in rows]

    def batches(self, split: Split, *, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
        """Every class in turn, its texts shuffled; a class that runs out begins again.

        Of more classes than half a batch, each batch has some, with two texts each: a text alone teaches nothing.
        """
        names, classes = np.unique([str(label) for label in split.labels], return_inverse=True)
        size = max(min(batch_size, len(classes)), 2 * min(2, len(names)))  # two of each of two, which may be one twice
        together = 1 if 2 * len(names) <= size else 2
        size -= size % together
        count = max(math.ceil(len(classes) / size), FEWEST_STEPS // 3)
        random = np.random.default_rng([seed, epoch])
        order = np.concatenate(_balanced(classes, count * size, random, together=together))[: count * size]
        return [order[start : start + size] for start in range(0, len(order), size)]

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        import torch
        from torch.nn.functional import normalize

        parts, vectors = self._parts(batch), []
        for part in parts:
            width = int(batch["attention_mask"][part].sum(dim=1).max()) if len(parts) > 1 else None
            read = {name: values[part, :width] for name, values in batch.items()}
            states = model.base_model(**read).last_hidden_state
            mask = read["attention_mask"]
            if self._reads_mean:
                read_states = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            else:
                read_states = states[torch.arange(len(states)), mask.sum(dim=1) - 1 if self._reads_last else 0]
            vectors.append(normalize(read_states.float(), dim=1))
        every, classes = torch.cat(vectors), targets[np.concatenate(parts)]
        alike = classes[:, None] == classes
        similar = every @ every.T
        return (
            _cosine(similar, alike)
            if self.options.loss == "cosine"
            else supcon(similar, alike, self.options.temperature)
        )

    def _parts(self, batch: dict[str, torch.Tensor]) -> list[IntArray]:
        """The rows of a batch in parts of like length: a batch balanced over classes has long texts beside short ones.

        All at once where frozen layers are, whose kept states stand in for the whole batch.
        """
        lengths = batch["attention_mask"].sum(dim=1).cpu().numpy()
        if self.options.frozen_layers:
            return [np.arange(len(lengths))]
        return inference_batches(lengths, max_tokens=PART_TOKENS)

    def before_evaluation(self, model: PreTrainedModel) -> None:
        features = head_inputs(model, self._tokens, self._precision)
        solve_head(head_of(model), features, self._labels, self._task, penalty=self.options.penalty)


def supcon(similar: torch.Tensor, alike: torch.Tensor, temperature: float) -> torch.Tensor:
    """Khosla et al. (2020), equation 2, for each text of a batch, (n,); 0 where none is like it.

    Args:
        similar: the cosines of all pairs, (n, n).
        alike: whether they have the same class.
    """
    import torch

    itself = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
    logits = (similar / temperature).masked_fill(itself, float("-inf"))
    log_shares = logits.log_softmax(dim=1).masked_fill(itself, 0.0)
    partners = alike & ~itself
    return -(log_shares * partners).sum(dim=1) / partners.sum(dim=1).clamp(min=1)


def _cosine(similar: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    others = max(1, len(similar) - 1)
    distance = (similar - alike.float()) ** 2
    answer: torch.Tensor = (distance.sum(dim=1) - distance.diagonal()) / others
    return answer


def _balanced(classes: IntArray, count: int, random: np.random.Generator, *, together: int = 1) -> list[Any]:
    """At least `count` rows in rounds of as many rows of each class, in random order.

    Args:
        together: rows of a class in a round; where they are several, the classes of a round are in random order too.
    """
    rows = [np.flatnonzero(classes == each) for each in np.unique(classes)]
    rounds = math.ceil(count / (len(rows) * together))
    columns = []
    for each in rows:
        again = math.ceil(rounds * together / len(each))
        columns.append(np.concatenate([random.permutation(each) for _ in range(again)])[: rounds * together])
    if together == 1:
        return list(np.stack(columns, axis=1))
    turns = np.stack(columns).reshape(len(rows), rounds, together)
    return [turns[random.permutation(len(rows)), each].ravel() for each in range(rounds)]
