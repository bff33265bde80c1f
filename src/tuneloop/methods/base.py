"""The contract of a method: how a pretrained model is adapted to a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.data.batches import batches_of_groups

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Examples, Input
    from tuneloop.methods.sources import Sources as Sources
    from tuneloop.methods.split import Split
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import Prediction, Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[Any]]
    Loss = Callable[[PreTrainedModel, Task, dict[str, torch.Tensor], torch.Tensor, IntArray], torch.Tensor]
    """What `GradientMethod.loss` is."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate and a decay.

    Args:
        parameters: what is trained.
        scale: multiplies the run's learning rate.
        decay: whether weight decay applies.
    """

    parameters: list[torch.nn.Parameter]
    scale: float = 1.0
    decay: bool = True


@dataclass(frozen=True)
class Solution:
    """What was tried and which attempt the model now has.

    Args:
        trials: the setting and the dev figures of each attempt, in order.
        chosen: the number of the attempt that was kept, from 0.
    """

    trials: list[dict[str, float]]
    chosen: int


@dataclass(frozen=True)
class Adapter:
    """What a method has learnt, without the model it was learnt on.

    Args:
        config: adapter_config.json in the form of PEFT.
        tensors: the adapted weights under the names that PEFT gives them.
        heads: modules that were trained as they are: the pooler and the classification head.
    """

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    heads: tuple[str, ...]


class Method(ABC):
    """A way of adapting a model, with its own options: a `GradientMethod` or a `SolvedMethod`."""

    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options
    examples: ClassVar[dict[str, Any]] = {}
    """Options without which it cannot be named, or not for every task that it suits, with an example of each."""

    mergeable: bool = True
    """Whether `merge` gives an ordinary model; else what was learnt is kept beside the pretrained one."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def positions(self, task: Task) -> int:
        """How many of the model's positions the method takes from every text."""
        return 0

    writes: ClassVar[bool] = False
    """Whether it can tune a model that answers by writing."""
    compares_rows: ClassVar[bool] = False  # whether the loss of a text depends on the others of its step

    learns_probabilities: ClassVar[bool] = False
    """Whether the training rows may have `Split.soft` in place of one class each."""

    def check(self, task: Task) -> None:
        """Raise a ConfigError that says why, where the method makes no sense for a task that judges texts."""

    def fit(self, task: Task) -> None:
        """Raise a ConfigError that says why, where the method makes no sense for a task."""
        if task.generates and not self.writes:
            raise ConfigError(
                t(
                    "method {name} needs a model that judges texts; task {task} writes them.",
                    name=self.name,
                    task=task.name,
                ),
                t("Choose method: lora, adalora, ia3, prefix, prompt, dpo or full."),
            )
        self.check(task)

    def refusal(self, task: Task) -> str:
        """Why the method makes no sense for a task; empty where it does."""
        try:
            self.fit(task)
        except ConfigError as refused:
            return refused.problem
        return ""

    @property
    def template(self) -> str:
        """What stands around every text, as `TemplateTokenizer` takes it; empty for nothing."""
        return ""

    def tokenizer(self, folder: Path, task: Task, max_tokens: int) -> Tokenizer:
        """What turns inputs into what the model reads; the folder is that of the pretrained model, or of a trained one.

        Raises:
            ModelError: if the folder has no readable `tokenizer.json`.
        """
        return task.tokenizer(folder, max_tokens, self.template)

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        """The pretrained model with what answers the task, in float32; see `load_classifier` and `load_writer`."""
        from tuneloop.models.load import load_classifier, load_writer

        if not task.has_head:
            return load_writer(folder, dropout=task.options.dropout, trust_remote_code=trust_remote_code)
        return load_classifier(
            folder, task, dropout=task.options.dropout, pooling=pooling, trust_remote_code=trust_remote_code
        )

    @abstractmethod
    def prepare(self, model: PreTrainedModel) -> None:
        """Freeze or add what the method freezes or adds, in place; what still asks for gradients is trained."""

    def selects_by(self, task: Task) -> str:
        """The dev figure that decides which weights are kept; higher is better."""
        return task.selects_by

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        """The training rows with all that the method needs beside them; called once, before the first step."""
        return train

    def gather_dev(self, dev: Split, task: Task, sources: Sources) -> Split:
        """The rows of dev with all that `figures` needs beside them; called once, after `gather`."""
        return dev

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        """What run.json says of the trained model beside its figures, asked before `merge`."""
        return {}

    def adapter(self, model: PreTrainedModel) -> Adapter | None:
        """What was learnt as a small thing of its own, asked before `merge`; None where the whole model learns."""
        return None

    def reread(self, dev: Split) -> Split:
        """The rows of dev as the finished model reads them, where that was chosen on the way."""
        return dev

    def keep(self, folder: Path) -> None:
        """Write into a model folder what the answers hang on beside weights and `tuneloop.json`."""

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """The ordinary model that gives the same answers."""
        return model


class GradientMethod(Method):
    """A method that the training loop drives."""

    trains_answers: ClassVar[bool] = True
    """Whether the loss depends on the model's logits."""

    reads_before: ClassVar[bool] = False
    """Whether the model before tuning reads train and dev once, without a gradient."""

    @abstractmethod
    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        """Every trainable parameter in exactly one group."""

    def batches(self, split: Split, *, batch_size: int, seed: int, epoch: int) -> list[IntArray]:
        """The rows of each step of an epoch, as many in every one: a pure function of its arguments and of `state`,
        which may change after the last step of an epoch alone."""
        # dealt by chance the gradients of texts that are packed are better ones: benchmarks/quality/packing_curve.json
        batches = batches_of_groups(
            split.tokens, batch_size=batch_size, seed=seed, epoch=epoch, by_length=not split.packed, turns=split.turns
        )
        return batches if split.negatives is None else [_with_negatives(batch, split) for batch in batches]

    def targets(self, known: torch.Tensor, rows: IntArray) -> torch.Tensor:
        """What the loss wants of these rows; `known` has what the labels say of every row."""
        return known[rows]

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        """The loss of each text of a batch, (n,), with its gradient; autocast is on where the run is in bf16.

        Args:
            batch: the tokens of the texts.
            targets: what the task wants of them.
            rows: their numbers in the training split.
        """
        return task.losses(model, batch, targets)

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        """Called before the first step, or before going on, with the number of steps there will be."""

    def penalty(self, model: PreTrainedModel) -> torch.Tensor | None:
        """A scalar that each step's loss is increased by."""
        return None

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        """Called when step number `step`, from 0, has moved the weights, while their gradients are still there."""

    def before_evaluation(self, model: PreTrainedModel) -> None:
        """Called when the model has the weights that dev is about to judge, averaged ones where they are averaged."""

    def figures(self, model: PreTrainedModel, task: Task, dev: Split, precision: str) -> dict[str, float]:
        """How good the model is on dev; the one that it `selects_by` decides which weights are kept."""
        return task.judge(model, dev.tokens, dev.labels, dev.inputs, precision)

    def settled(self, step: int) -> bool:
        """Whether the weights after step number `step`, from 0, may be kept as the best."""
        return True

    def state(self) -> dict[str, torch.Tensor]:
        """What the method remembers between steps, for the checkpoint."""
        return {}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Remember what `state` returned."""


class SolvedMethod(Method):
    """A method whose weights are computed, without the training loop."""

    def import_libraries(self) -> None:
        """Import what `solve` needs, which takes its time once, however many texts there are."""
        return

    @abstractmethod
    def solve(
        self, model: PreTrainedModel, task: Task, *, train: Split, dev: Split, precision: str, cache: Path
    ) -> Solution:
        """Put the weights into the model; the choice among attempts is made on dev.

        Args:
            precision: fp32 or bf16 (autocast) of the passes through the model.
            cache: a folder for what need not be computed twice.
        """


class Baseline(ABC):
    """A model without a pretrained one, measured beside every run; it is never saved or released."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, examples: Examples, task: Task, *, seed: int) -> BaselineModel:
        """A `ModelHandle` learnt from the training examples."""


class BaselineModel(ABC):
    """The `ModelHandle` of a baseline.

    Args:
        name: a short name for tables.
        task: the task with its labels.
    """

    def __init__(self, name: str, task: Task) -> None:
        self.name = name
        self.task = task

    @abstractmethod
    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """Probabilities (n, classes), or values (n, 1) for regression, in the order of `inputs`."""

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        return self.task.predictions(self.scores(inputs))


def _with_negatives(batch: IntArray, split: Split) -> IntArray:
    """The texts of a batch, then what its inputs are to be told apart from, each once."""
    owners, negatives = split.tokens.owners, split.negatives
    if owners is None or negatives is None:
        return batch
    texts = np.unique(negatives[np.unique(owners[batch])])
    return np.concatenate([batch, np.setdiff1d(texts[texts >= 0], batch)])


def check_one_class(task: Task, *, method: str) -> None:
    """Nothing, if every text of the task has one class.

    Raises:
        ConfigError: if not.
    """
    if task.problem_type != "single_label_classification" or task.layout != "whole":
        raise ConfigError(
            t(
                "method {name} needs one class for each text, which task {task} does not have.",
                name=method,
                task=task.name,
            ),
            t("Choose method: full, or task: classification."),
        )


def check_whole(task: Task, *, method: str) -> None:
    """Nothing, if the model gives one answer to each input, read as one text.

    Raises:
        ConfigError: if not.
    """
    if task.layout != "whole":
        raise ConfigError(
            t("method {name} needs one answer for each text as a whole, which task {task} does not have.",
              name=method, task=task.name),
            t("Choose method: full, lora or adapter, or task: classification."),
        )  # fmt: skip


def count_parameters(model: PreTrainedModel) -> tuple[int, int]:
    """How many parameters are trained, and how many there are."""
    from tuneloop.models.quantized import size_of

    sizes = [(size_of(parameter), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)
