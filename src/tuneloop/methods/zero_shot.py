"""Zero-shot: classes are told apart by what they are called, without a single label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.base import Solution, SolvedMethod, Split
from tuneloop.methods.verbalizer import GapOptions, Words, check_gap, check_names, load_asked, take_prior_away
from tuneloop.models.features import cached_features
from tuneloop.models.forward import head_inputs, predict_logits
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.methods.base import FloatArray, Sources
    from tuneloop.tasks.base import Task

SHARPNESS = 10.0
"""Logit of a text that lies exactly in the direction of a class; the temperature found on dev corrects it."""


class ZeroShotOptions(GapOptions):
    """Options of zero-shot."""

    by: Literal["similarity", "prompt"] = Field(
        "similarity",
        description="similarity: the class whose description is nearest; prompt: the word a language model puts in.",
    )
    descriptions: dict[str, Words] = Field(
        {}, description="Sentences that describe each class, for similarity; its name by default."
    )


class ZeroShot(SolvedMethod):
    """No weight is trained; training texts say only what is common to all texts, dev only how sure to sound.

    similarity: a class is the mean of its descriptions' features, less the mean over classes, of length 1; texts are
    centred by the mean of the training texts, as all embeddings share a direction (Mu and Viswanath, "All-but-the-Top",
    2018). So it is one linear layer in an ordinary model. prompt: see `pet`, untrained.
    """

    name = "zero_shot"
    Options = ZeroShotOptions
    options: ZeroShotOptions

    def __init__(self, options: ZeroShotOptions) -> None:
        super().__init__(options)
        self.mergeable = options.by == "similarity"

    @property
    def template(self) -> str:
        return "" if self.options.by == "similarity" else self.options.template

    def check(self, task: Task) -> None:
        if self.options.by == "prompt":
            check_gap(self.options, task, method=self.name)
        elif task.problem_type != "single_label_classification" or task.takes_pairs:
            raise ConfigError(
                t("method zero_shot needs one class for each single text, which task {task} has not.", task=task.name),
                t("Choose method: full, or task: classification."),
            )
        check_names(self.options.descriptions, task, setting="method.descriptions")

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        if self.options.by == "similarity":
            return super().load(folder, task, pooling=pooling, trust_remote_code=trust_remote_code)
        return load_asked(self.options, folder, task, trust_remote_code=trust_remote_code)

    def prepare(self, model: PreTrainedModel) -> None:
        model.requires_grad_(False)
        head_of(model).requires_grad_(True)

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        if self.options.by == "similarity":
            given = {label: self.options.descriptions.get(label) or (label,) for label in task.labels}
            self._described = {label: sources.tokens(sentences) for label, sentences in given.items()}
        return train

    def solve(
        self, model: PreTrainedModel, task: Task, *, train: Split, dev: Split, precision: str, cache: Path
    ) -> Solution:
        if self.options.by == "similarity":
            classes = [head_inputs(model, self._described[label], precision).mean(axis=0) for label in task.labels]
            _point(model, np.stack(classes), cached_features(model, train.tokens, precision, cache=cache))
        elif self.options.calibrate:
            take_prior_away(model, train.tokens, precision)
        figures = task.metrics(dev.labels, task.scores(predict_logits(model, dev.tokens, precision)))
        return Solution([{f"dev_{name}": value for name, value in figures.items()}], 0)


def _point(model: PreTrainedModel, classes: FloatArray, texts: FloatArray) -> None:
    """Point the rows of the last layer at the classes, (classes, hidden), seen from the middle of the texts."""
    import torch

    middle = texts.mean(axis=0)
    directions = classes - classes.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True) + 1e-12
    weight = SHARPNESS * directions / np.linalg.norm(texts - middle, axis=1).mean()
    head = head_of(model)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(-weight @ middle))
