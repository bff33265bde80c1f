"""Gradient checkpointing: what the layers compute is computed again for the gradient, instead of being kept.

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016). Each transformer layer keeps its input alone; a
step takes about a third more time, and the gradients are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.base import GradientMethod

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.methods.base import Method


def check(config: TrainingConfig, method: Method, model: PreTrainedModel) -> None:
    """Nothing, if gradient checkpointing is off or possible.

    Raises:
        ConfigError: if not.
    """
    if not config.gradient_checkpointing:
        return
    hint = t("Set training.gradient_checkpointing to false.")
    if not isinstance(method, GradientMethod):
        raise ConfigError(
            t("training.{name} needs training in steps, which method {method} has not.", name="gradient_checkpointing",
              method=method.name),
            hint,
        )  # fmt: skip
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise ConfigError(
            t("A model of the kind {model} cannot compute its layers again.", model=model.config.model_type), hint
        )


@contextmanager
def recomputed(model: PreTrainedModel, *, wanted: bool) -> Iterator[None]:
    """Inside the block the layers keep nothing while the model is in training mode, if that is wanted."""
    if not wanted:
        yield
        return
    # what comes in need not ask for a gradient, so that a model with frozen word vectors learns as well
    kept = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=kept)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=kept)
    try:
        yield
    finally:
        if hasattr(model, "activation_checkpointing_disable"):
            model.activation_checkpointing_disable()
        else:
            model.gradient_checkpointing_disable()
