"""Zero-shot: classes are told apart by what they are called, without a single label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.base import Solution, SolvedMethod, check_one_class
from tuneloop.methods.split import Split
from tuneloop.methods.verbalizer import GapOptions, Words, check_gap, check_names, load_asked, take_prior_away
from tuneloop.models.features import cached_features
from tuneloop.models.forward import head_inputs, predict_logits
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.methods.base import FloatArray, Sources
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import Task

LABEL = "{label}"

SHARPNESS = 10.0
"""Logit of a text that lies exactly in the direction of a class; the temperature found on dev corrects it."""


READ_BY = {
    "similarity": ("descriptions",),
    "prompt": ("template", "verbalizer", "calibrate"),
    "entailment": ("hypothesis", "hypotheses", "entailment"),
}
"""The options that each way of judging reads."""


class ZeroShotOptions(GapOptions):
    """Options of zero-shot."""

    by: Literal["similarity", "prompt", "entailment"] = Field(
        "similarity",
        description="similarity: the class whose description is nearest; prompt: the word a language model puts in; "
        "entailment: the class whose hypothesis a model for natural language inference believes.",
    )
    descriptions: dict[str, Words] = Field(
        {}, description="Sentences that describe each class, for similarity; its name by default."
    )
    hypothesis: str = Field(
        "This text is about {label}.", description="Sentence about a text for each class, for entailment."
    )
    hypotheses: dict[str, str] = Field(
        {}, description="Sentences for entailment that method.hypothesis does not fit, by class."
    )
    entailment: str = Field(
        "", description="What the model calls entailment; by default the class whose name begins with entail."
    )

    @model_validator(mode="after")
    def _no_option_of_another_way(self) -> ZeroShotOptions:
        for other, names in READ_BY.items():
            for name in names if other != self.by else ():
                if getattr(self, name) != type(self).model_fields[name].default:
                    unread = t("{name} is read with by: {other}, not by: {by}", name=name, other=other, by=self.by)
                    raise ValueError(unread)
        return self

    @field_validator("hypothesis")
    @classmethod
    def _tells_classes_apart(cls, value: str) -> str:
        if LABEL not in value:
            raise ValueError(t("it must hold {label}", label=LABEL))
        return value


class ZeroShot(SolvedMethod):
    """No weight is trained; training texts say only what is common to all texts, dev only how sure to sound.

    similarity: a class is the mean of its descriptions' features, less the mean over classes, of length 1; texts are
    centred by the mean of the training texts, as all embeddings share a direction (Mu and Viswanath, "All-but-the-Top",
    2018). So it is one linear layer in an ordinary model. prompt: see `pet`, untrained. entailment: softmax over the
    classes of how much the text entails each one's hypothesis, Yin et al., "Benchmarking Zero-shot Text Classification"
    (2019); of several classes each is judged against contradiction alone.
    """

    name = "zero_shot"
    Options = ZeroShotOptions
    options: ZeroShotOptions

    def __init__(self, options: ZeroShotOptions) -> None:
        super().__init__(options)
        self.mergeable = options.by == "similarity"

    @property
    def template(self) -> str:
        return self.options.template if self.options.by == "prompt" else ""

    def tokenizer(self, folder: Path, task: Task, max_tokens: int) -> Tokenizer:
        if self.options.by != "entailment":
            return super().tokenizer(folder, task, max_tokens)
        from tuneloop.models.layouts import HypothesisTokenizer

        given, default = self.options.hypotheses, self.options.hypothesis
        sentences = [given.get(label) or default.replace(LABEL, label) for label in task.labels]
        return HypothesisTokenizer(folder, max_tokens, sentences)

    def check(self, task: Task) -> None:
        if self.options.by == "prompt":
            check_one_class(task, method=self.name)  # how likely a word is says nothing of the others
            check_gap(self.options, task, method=self.name)
        elif self.options.by == "entailment":
            _check_single_texts(task)
        elif task.problem_type != "single_label_classification" or task.takes_pairs:
            raise ConfigError(
                t("method zero_shot needs one class for each single text, which task {task} has not.", task=task.name),
                t("Choose method: full, or task: classification."),
            )
        check_names(self.options.descriptions, task, setting="method.descriptions")
        check_names(self.options.hypotheses, task, setting="method.hypotheses")

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        if self.options.by == "entailment":
            from tuneloop.models.entailment import load_entailment

            several = task.problem_type == "multi_label_classification"
            named = self.options.entailment
            return load_entailment(folder, named=named, against=several, trust_remote_code=trust_remote_code)
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
        elif self.options.by == "prompt" and self.options.calibrate:
            take_prior_away(model, train.tokens, precision)
        if not dev.labels:
            return Solution([{}], 0)
        figures = task.metrics(dev.labels, task.scores(predict_logits(model, dev.tokens, precision)))
        return Solution([{f"dev_{name}": value for name, value in figures.items()}], 0)


def _check_single_texts(task: Task) -> None:
    if not task.has_classes or task.layout != "whole" or task.takes_pairs:
        raise ConfigError(
            t("method zero_shot needs classes of single texts, which task {task} has not.", task=task.name),
            t("Choose method: full, or task: classification."),
        )


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
