"""The contract of a task, and what a prediction is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import Field

from tuneloop.core.options import Options
from tuneloop.data.examples import Input, Label
from tuneloop.data.stored import plain_label
from tuneloop.knowledge.reasons import Reason

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

    from tuneloop.core.preparation import CleanConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.models.tokenizer import Tokenizer

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer.

    Args:
        label: the class, the classes, the stretches of the text, or the number.
        probabilities: probability of each class, in the order of the task's labels; empty for numbers and stretches.
        truncated: whether the text was longer than the model reads.
        sureness: probability of each stretch, in order.
        finished: whether a written text came to its end, not to the limit of tokens.
        because: rules that changed the model's answer, or that ask a person to look at it.
        outside: the share of dev that is less unlike the model's own texts, where a detector came with the model.
        abstained: whether it is so far outside that the label is none to act on.
        plausible: classes of which one is right, as often as was promised; None where nothing was promised.
    """

    label: Label
    probabilities: dict[str, float]
    truncated: bool = False
    sureness: tuple[float, ...] = ()
    finished: bool = True
    because: tuple[Reason, ...] = ()
    outside: float | None = None
    abstained: bool = False
    plausible: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; a stretch is an object with its start, end, label and probability.

        `finished` stands there only where it is false: such a text may break its constraint.
        """
        label: Any = list(self.label) if isinstance(self.label, tuple) else self.label
        if self.sureness:
            spans = zip(self.label, self.sureness, strict=True)  # type: ignore[arg-type]
            label = [span._asdict() | {"probability": sure} for span, sure in spans]  # type: ignore[union-attr]
        plain = {"label": label, "probabilities": self.probabilities, "truncated": self.truncated}
        if not self.finished:
            plain["finished"] = False
        if self.outside is not None:
            plain |= {"outside": self.outside, "abstained": self.abstained}
        if self.plausible is not None:
            plain["set"] = list(self.plausible)
        return plain | ({"because": [reason.to_json() for reason in self.because]} if self.because else {})


class ModelHandle(Protocol):
    """All that evaluation, audits, explainers and the server see of a model."""

    @property
    def name(self) -> str:
        """A short name for tables."""

    @property
    def task(self) -> Task:
        """The task with its labels."""

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """What the task decides by, in the order of `inputs`: see `Task.answers`."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order; batching happens inside."""


class Goal(Protocol):
    """All that the training loop itself asks of a task; the rest is between the task and the method."""

    @property
    def selects_by(self) -> str:
        """The key of the dev figures that decides which weights are kept; higher is better."""

    def aligned(self, labels: Sequence[Any], tokens: Tokens, inputs: Sequence[Any]) -> np.ndarray[Any, Any]:
        """What the method's `loss` is given for each text, one after the other."""


class TaskOptions(Options):
    """Options that every task has."""

    dropout: float | None = Field(
        None, ge=0, lt=1, description="Dropout of the model while training; its own by default."
    )


class Task(ABC):
    """What is predicted: how labels become targets, which loss, how logits become answers.

    Args:
        options: the task's own options.
        state: what was learnt from the training labels, plain JSON: `{"labels": [...]}` at least.
    """

    name: ClassVar[str]
    Options: ClassVar[type[TaskOptions]] = TaskOptions
    takes_pairs: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True
    """Whether labels are names out of a set that training knows."""
    has_probabilities: ClassVar[bool] = True
    """Whether the scores are one probability for each class."""
    fewest_classes: ClassVar[int] = 2
    problem_type: ClassVar[str]
    """What Hugging Face calls it: single_label_classification, multi_label_classification, regression; or else."""
    architecture: ClassVar[str] = "AutoModelForSequenceClassification"
    """The class of transformers that answers it."""
    layout: ClassVar[Literal["whole", "windows", "choices", "apart", "written"]] = "whole"
    """How the model reads an input: as one text, in windows (see `models.layouts`), one text per choice, each, or to
    write on."""
    needs_label: ClassVar[bool] = True
    compares_rows: ClassVar[bool] = False  # whether the loss of a text depends on the others of its step
    embeds: ClassVar[bool] = False
    """Whether the logits are the vector of a text: see `models.embedding`."""
    free_answers: ClassVar[bool] = False
    """Whether labels are texts of which many may be right, so that one prompt with two answers is no contradiction."""
    row_by_row: ClassVar[bool] = False
    """Whether a label in a file is understood only beside its text: see `parse_row`."""
    unit: ClassVar[Literal["", "text", "pair"]] = ""
    """Rows with an equal text (or second text) stay in one split: what is learnt of one answers the others too."""
    spans_in: ClassVar[Literal["", "text", "pair"]] = ""
    """The text whose stretches the labels are."""
    baselines: ClassVar[tuple[str, ...]] = ("majority", "tfidf")
    """What stands beside every model; the strongest last."""
    primary_metric: ClassVar[str]
    """The key of `metrics` that early stopping and comparison look at; higher is better."""
    dev_metric: ClassVar[str] = ""
    """The key of `judge` that chooses weights, where it is another one."""
    has_head: ClassVar[bool] = True
    """Whether a new last layer answers; else the pretrained model does as it is."""
    generates: ClassVar[bool] = False
    """Whether the answer is a text that the model writes."""

    def __init__(self, options: TaskOptions, state: Mapping[str, Any]) -> None:
        self.options = options
        self.labels: tuple[str, ...] = tuple(state.get("labels", ()))

    @classmethod
    @abstractmethod
    def parse_label(cls, raw: Any) -> Label:
        """The label in one cell of a file.

        Raises:
            ValueError: with the reason, if the cell cannot be a label of this task.
        """

    @classmethod
    def parse_input(cls, text: Any, pair: Any) -> tuple[Any, Any]:
        """Text and pair of a row of a file as this task has them, where `row_by_row`.

        Raises:
            ValueError: with the reason, if they are not such.
        """
        return text, pair

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        """Text, pair and label of a row of a file as this task has them, where `row_by_row`.

        Raises:
            ValueError: with the reason, if they do not fit together.
        """
        return text, pair, cls.parse_label(label)

    @classmethod
    def moved(cls, label: Label, before: Input, after: Input, config: CleanConfig) -> Label:
        """The label of an input that was mended.

        Raises:
            ValueError: if the label no longer fits.
        """
        return label

    @classmethod
    def label_names(cls, labels: Iterable[Label]) -> list[str]:
        """The class names that occur, sorted; empty for tasks without classes."""
        return sorted({str(label) for label in labels}) if cls.has_classes else []

    @property
    def outputs(self) -> int:
        """Width of the model's last layer."""
        return len(self.labels)

    @property
    def score_columns(self) -> int | None:
        """Width of the scores; None where it is no matter of the task."""
        return self.outputs

    @property
    def wants_negatives(self) -> bool:
        """Whether training needs `negatives`."""
        return False

    def negatives(self, logits: FloatArray, tokens: Tokens, labels: Sequence[Label]) -> IntArray:
        """Texts that each training input is to be told apart from, (inputs, most), below 0 where there are fewer.

        Args:
            logits: of the untrained model for every text in `tokens`.
        """
        raise NotImplementedError(f"{self.name} has no negatives")

    @property
    def output_names(self) -> tuple[str, ...]:
        """What the values of the model's last layer are called; empty for numbers."""
        return self.labels

    @property
    def per_token(self) -> bool:
        """Whether the model answers for every token, logits (texts, tokens, outputs)."""
        return self.layout == "windows"

    @property
    def has_temperature(self) -> bool:
        """Whether the logits can be divided without changing a decision."""
        return True

    def learn(self, labels: Sequence[Label]) -> None:
        """Learn from the training labels what loss and targets need (class weights, scale)."""

    def learn_tokens(self, tokens: Tokens) -> None:
        """Learn from the tokens of train what the loss needs."""

    @property
    def state(self) -> dict[str, Any]:
        """What a release must keep to predict alike, as JSON."""
        return {"labels": list(self.labels)}

    @abstractmethod
    def targets(self, labels: Sequence[Label]) -> np.ndarray[Any, Any]:
        """Labels as the loss wants them: (n,) int64, (n, classes) float32 or (n,) float32."""

    def meet(self, config: Any) -> None:
        """Learn from the configuration of the pretrained model what `outputs` hangs on."""

    def tokenizer(self, folder: Path, max_tokens: int, template: str = "") -> Tokenizer:
        """What turns inputs into what the model reads, see `layout`.

        Raises:
            ModelError: if the folder has no readable `tokenizer.json`.
        """
        from tuneloop.models.template import open_tokenizer

        return open_tokenizer(folder, max_tokens, template)

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """What the loss wants of each text in `tokens`, which hold the inputs of these labels."""
        return self.targets(labels)

    def lessons(self, inputs: Sequence[Input], labels: Sequence[Label]) -> list[Input]:
        """What the tokenizer reads of rows that are learnt from, or judged by how likely their label is."""
        return list(inputs)

    def losses(self, model: PreTrainedModel, batch: dict[str, Tensor], targets: Tensor) -> Tensor:
        """The training loss of each text of a batch, (texts,), with its gradient."""
        return self.loss(model(**batch).logits.float(), targets)

    @property
    def selects_by(self) -> str:
        """The key of `judge` that chooses weights."""
        return self.dev_metric or self.primary_metric

    def judge(
        self, model: PreTrainedModel, tokens: Tokens, labels: Sequence[Label], inputs: Sequence[Input], precision: str
    ) -> dict[str, float]:
        """How good a model in training is on rows that it does not learn from."""
        from tuneloop.models.forward import predict_logits

        logits = self.unscale(predict_logits(model, tokens, precision))
        return self.metrics(labels, self.answers(logits, tokens, inputs))

    @abstractmethod
    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The training loss, one number per example, shape (batch,)."""

    @abstractmethod
    def divergence(self, logits: Tensor, others: Tensor) -> Tensor:
        """KL(p || q) between what two logits (batch, outputs) say, p being what `logits` says, shape (batch,)."""

    @abstractmethod
    def scores(self, logits: FloatArray) -> FloatArray:
        """Logits (n, outputs) to probabilities (n, classes) or values (n, 1)."""

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        """The scores of each input, from the logits of every text in `tokens`.

        They are probabilities (n, classes), values (n, 1), or for stretches and choices an array (n,) of objects.
        """
        return self.scores(logits)

    @abstractmethod
    def decide(self, scores: FloatArray) -> list[Label]:
        """Scores (n, outputs) to one label each."""

    calibrates: ClassVar[bool] = False
    """Whether `calibrate` does something."""

    def calibrate(self, logits: FloatArray, tokens: Tokens, labels: Sequence[Label]) -> None:
        """Learn from rows of dev, after training, how sure the answers are, where a temperature does not say it."""

    @abstractmethod
    def metrics(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, float]:
        """The headline figures of these answers."""

    def counts(self, labels: Sequence[Label], answers: Sequence[Label]) -> tuple[Any, Any, Any]:
        """How often each class was rightly given, given, and meant in each row, (n, classes) each."""
        given, meant = self.indicator(answers), self.indicator(labels)
        return given * meant, given, meant

    def indicator(self, labels: Sequence[Label]) -> Any:
        """1 where a class belongs to a row, float64, (n, classes), for tasks that judge whole texts."""
        targets = self.targets(labels)
        if targets.ndim == 1:
            targets = targets[:, None] == np.arange(len(self.labels))
        return targets.astype(np.float64)

    def row_figures(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, Any]:
        """Figures whose mean over the rows is what `metrics` says, (n,) each, for tasks without classes or numbers."""
        raise NotImplementedError(f"{self.name} has no figures of rows")

    def row_weights(self, labels: Sequence[Label]) -> Any:
        """How much each row counts in the means of `row_figures`, (n,); None: all alike."""
        return None

    def right(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        """Whether the answer to each row is wholly right, (n,)."""
        return np.array(
            [label == answer for label, answer in zip(labels, self.decide(scores), strict=True)], dtype=bool
        )

    def told(self, answer: Label, text: str) -> Any:
        """A label or an answer as the list of errors keeps it, in plain JSON."""
        return plain_label(answer)

    def changes(self, scores: FloatArray, others: FloatArray) -> Any:
        """The largest change of a probability, or of a value, in each row, (n,)."""
        return np.abs(scores - others).max(axis=1)

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        """How sure the model was of what it got wrong, (n,): worst errors are sorted by it."""
        return scores.max(axis=1)

    def scores_of(self, answers: Sequence[Mapping[str, Any]], near: FloatArray) -> FloatArray:
        """The scores behind predictions that were sent as JSON (`Prediction.to_json`).

        Args:
            near: scores of the same rows; what predictions do not say is taken from them.
        """
        rows = [list(each["probabilities"].values()) or [each["label"]] for each in answers]
        return np.array(rows, dtype=np.float32)

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        """Scores (n, outputs) to predictions."""
        cut = truncated if truncated is not None else [False] * len(scores)
        names = self.labels if self.has_classes else ()
        return [
            Prediction(label, dict(zip(names, map(float, row), strict=False)), bool(was_cut))
            for label, row, was_cut in zip(self.decide(scores), scores, cut, strict=True)
        ]

    def unscale(self, logits: FloatArray) -> FloatArray:
        """Logits of a model that is still in training, in the units of the labels (see `fold`)."""
        return logits

    def fold(self, head: torch.nn.Linear) -> None:
        """Move the scale of the targets into the model's last layer, so that any reader sees units."""

    def fold_temperature(self, head: torch.nn.Linear, temperature: float) -> None:
        """Divide the logits by `temperature` for good, by dividing the last layer."""
        import torch

        with torch.no_grad():
            head.weight.div_(temperature)
            if head.bias is not None:
                head.bias.div_(temperature)
