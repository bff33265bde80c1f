"""Prefix tuning: learnt keys and values that every layer's attention sees before the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation, AdaptationOptions, train_head_alone
from tuneloop.models.first_token import is_like_bert
from tuneloop.models.pooling import own_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class PrefixOptions(AdaptationOptions):
    """Options of prefix tuning."""

    length: int = Field(20, ge=1, description="Learnt positions before the text.")
    projection: int = Field(
        0, ge=0, description="Width of a layer that the learnt vectors go through while they learn; 0: none."
    )
    rate_scale: float = Field(
        50.0, gt=0, description="Learning rate of the adapted weights relative to training.learning_rate."
    )


class PrefixTuning(Adaptation):
    """Keys and values before the text in every layer, and the head; each layer of width d has 2d per position.

    Without `projection`: Liu et al., "P-Tuning v2" (2022), deep prompts. With it: Li and Liang, "Prefix-Tuning" (2021),
    section 4.3, a layer of its own in each transformer layer. It is kept beside the pretrained model.
    """

    name = "prefix"
    Options = PrefixOptions
    options: PrefixOptions
    mergeable = False

    def prepare(self, model: PreTrainedModel) -> None:
        from tuneloop.methods.modules import PrefixedAttention

        layers = own_layers(model)
        if not layers or not all(is_like_bert(layer) for layer in layers):
            raise ModelError(
                t("A model of the kind {model} has no place for a prefix.", model=model.config.model_type),
                t("Choose a model built like BERT, or another method, such as lora."),
            )
        train_head_alone(model)
        for layer in layers:
            attention = layer.attention
            attention.self = PrefixedAttention(attention.self, self.options.length, self.options.projection)
