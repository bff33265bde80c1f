"""Attention rollout (Abnar and Zuidema, "Quantifying attention flow in transformers", 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.explain.base import Explanation, Question
from tuneloop.explain.gradients import LookingInside, by_unit, unit_of_tokens
from tuneloop.inference.inside import Inside, Reading

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle


class AttentionRollout(LookingInside):
    """Where attention flows through all layers. It is no explanation: it does not even know which class is asked for.

    Half of what a token becomes in a layer is taken to be itself, half what it attends to, heads averaged. The row of
    the token that the head reads is told, without special tokens, so that it sums to 1. Jain and Wallace, "Attention
    is not explanation" (2019).
    """

    name = "attention_rollout"
    explains = False

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        inside = self.opened(model)
        reading = inside.read(question.item)
        flow = rollout(_attentions(inside, reading), pools=_pools(inside))
        read = 0 if reading.texts[0] < 0 else -1  # a decoder has no first token that stands for the text
        values = by_unit(flow[read], unit_of_tokens(reading, question.units), len(question.units))
        output = float(question.target.of(model.scores([question.item]))[0])
        return self.explanation(
            question, values / max(values.sum(), 1e-12), base=None, output=output, error=None, error_kind="unknown",
            asked=2, absent="",
        )  # fmt: skip


def rollout(attentions: np.ndarray[Any, Any], *, pools: bool = False) -> np.ndarray[Any, Any]:
    """What flows from each token into each token, (tokens, tokens), from attention (layers, heads, tokens, tokens).

    Args:
        pools: whether the last layer only takes the mean, so that no token stays itself in it.
    """
    size = attentions.shape[-1]
    flow = np.eye(size)
    for number, layer in enumerate(attentions.mean(axis=1)):
        kept = 0.0 if pools and number == len(attentions) - 1 else 0.5
        mixed = kept * np.eye(size) + (1 - kept) * layer
        flow = mixed / mixed.sum(axis=1, keepdims=True) @ flow
    return flow


def _attentions(inside: Inside, reading: Reading) -> np.ndarray[Any, Any]:
    """Attention of every layer and head, (layers, heads, tokens, tokens); for a moment the model computes it openly."""
    import torch

    model: Any = inside.model
    usual = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            found = model(**reading.tensors, output_attentions=True).attentions
    finally:
        model.set_attn_implementation(usual)
    if not found or any(layer is None or layer.shape[-1] != layer.shape[-2] for layer in found):
        raise ModelError(
            t("The model {name} does not tell its attention.", name=inside.predictor.name),
            t("Take a method that only asks it for answers."),
        )
    return np.stack([layer[0].double().cpu().numpy() for layer in found])


def _pools(inside: Inside) -> bool:
    from tuneloop.models.pooling import mean_layer

    return mean_layer(inside.model) is not None
