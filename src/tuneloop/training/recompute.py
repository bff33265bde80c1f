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
from tuneloop.core.machine import GIB
from tuneloop.core.progress import note
from tuneloop.methods.base import GradientMethod
from tuneloop.models.device import free_memory_bytes
from tuneloop.models.forward import reads_one_sequence
from tuneloop.training.distributed.ranks import Ranks
from tuneloop.training.memory import generous_bytes, step_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.methods.base import Method

SAFE_SHARE = 0.9
"""Of the free memory: the rest is for what was not counted."""

SMALL_SHARE = 0.3
"""Of the free memory: what surely fits is not counted."""


def check(config: TrainingConfig, method: Method, model: PreTrainedModel) -> None:
    """Nothing, if gradient checkpointing is off or possible.

    Raises:
        ConfigError: if not.
    """
    if config.gradient_checkpointing is not True:
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


def wanted(
    config: TrainingConfig, model: PreTrainedModel, tokens: Tokens, *, ranks: Ranks | None = None, quiet: bool = False
) -> bool:
    """Whether layers are to be computed again; `auto` does so where keeping everything would not fit into free memory.

    Nothing but time and memory depends on it. It is asked before the weights are shared out.
    """
    ranks = ranks or Ranks()
    if config.gradient_checkpointing != "auto":
        return config.gradient_checkpointing
    if not getattr(model, "supports_gradient_checkpointing", False) or not reads_one_sequence(model):
        return False
    free = free_memory_bytes(ranks.device_of(model))
    if generous_bytes(model, config) <= SMALL_SHARE * free:
        return False
    need = step_bytes(model, tokens, config, pieces=ranks.pieces)
    if need <= SAFE_SHARE * free:
        return False
    if not quiet:
        sentence = t(
            "Layers are computed again for the gradient: keeping them would take {need:.1f} GiB of {free:.1f} GiB.",
            need=need / GIB, free=free / GIB,
        )  # fmt: skip
        note(sentence)
    return True


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
