"""What is added to the loss of any method trained in steps: one file each, off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.base import GradientMethod
from tuneloop.training.regularisers.r_drop import with_r_drop
from tuneloop.training.regularisers.supcon import with_supcon

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.methods.base import Loss, Method
    from tuneloop.tasks.base import Task

NAMES = ("r_drop", "fgm", "supcon")


def regularised(loss: Loss, config: TrainingConfig) -> Loss:
    """The loss of a method with those regularisers around it that are a matter of one pass: all but `fgm.passes`."""
    if config.supcon:
        loss = with_supcon(loss, weight=config.supcon, temperature=config.supcon_temperature)
    if config.r_drop:  # outside, so that the other pass of a text is one more text of its class
        loss = with_r_drop(loss, weight=config.r_drop)
    return loss


def tokens_per_part(config: TrainingConfig) -> int:
    """Tokens of a batch that go through the model at once: half as many where each text goes twice."""
    return config.max_batch_tokens // (2 if config.r_drop else 1)


def check(config: TrainingConfig, method: Method, task: Task, model: PreTrainedModel) -> None:
    """Nothing, if every regulariser that is on makes sense.

    Raises:
        ConfigError: saying why one does not.
    """
    for name in [name for name in NAMES if getattr(config, name)]:
        reason = _why_not(name, method, task, model)
        if reason:
            hint = t("Set training.{name} to 0, or choose method: full with task: classification.", name=name)
            raise ConfigError(reason, hint)
    if config.r_drop and not _drops(model):
        raise ConfigError(
            t("training.r_drop compares passes with different dropout, but the dropout of this model is 0."),
            t("Set task.dropout, for example to 0.1, or training.r_drop to 0."),
        )


def _why_not(name: str, method: Method, task: Task, model: PreTrainedModel) -> str:
    if not isinstance(method, GradientMethod):
        return t(
            "training.{name} needs training in steps, which method {method} has not.", name=name, method=method.name
        )
    if name != "fgm" and not method.trains_answers:
        return t("training.{name} needs answers, which method {method} does not train.", name=name, method=method.name)
    if name == "fgm" and task.generates:
        return t("training.fgm moves the words of each text, and task {task} packs texts together.", task=task.name)
    if name == "fgm" and hasattr(model, "media_inputs"):
        return t("training.fgm moves the words of each text, and this model reads other modalities too.")
    if name != "fgm" and task.layout != "whole":
        return t(
            "training.{name} needs one answer for each text as a whole, which task {task} does not have.",
            name=name,
            task=task.name,
        )
    if name == "supcon" and task.problem_type != "single_label_classification":
        return t("training.supcon needs one class for each text, which task {task} does not have.", task=task.name)
    return ""


def _drops(model: PreTrainedModel) -> bool:
    """Whether some dropout layer drops anything."""
    import torch

    return any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
