"""The contract of a method: how a pretrained model is adapted to a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tuneloop.core.config import Options

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Examples
    from tuneloop.tasks.base import ModelHandle, Task


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


class Method(ABC):
    """A way of adapting a model, with its own options."""

    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Options) -> None:
        self.options = options


class GradientMethod(Method):
    """A method that the training loop drives."""

    @abstractmethod
    def prepare(self, model: PreTrainedModel) -> None:
        """Freeze or add what the method freezes or adds, in place."""

    @abstractmethod
    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        """Every trainable parameter in exactly one group."""

    def merge(self, model: PreTrainedModel) -> PreTrainedModel:
        """The ordinary model that gives the same answers."""
        return model


class FittedMethod(Method):
    """A method that is solved directly, without the training loop."""

    @abstractmethod
    def fit(self, examples: Examples, task: Task, *, seed: int) -> ModelHandle:
        """A model of the training examples."""
