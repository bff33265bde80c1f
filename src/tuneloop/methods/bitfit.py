"""BitFit: only the biases learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation
from tuneloop.methods.full import is_head
from tuneloop.models.pooling import mean_layer

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BitFit(Adaptation):
    """Every bias and the head are trained, every pretrained matrix stays.

    Ben Zaken et al., "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
    Language-models" (2022).
    """

    name = "bitfit"

    def prepare(self, model: PreTrainedModel) -> None:
        biases, pooling = 0, mean_layer(model)
        aside = set() if pooling is None else set(pooling.parameters())
        for name, parameter in model.named_parameters():
            head = is_head(name, model)
            bias = name.endswith("bias") and parameter not in aside
            parameter.requires_grad_(head or bias)
            biases += bias and not head
        if not biases:
            raise ModelError(
                t("A model of the kind {model} has no biases.", model=model.config.model_type),
                t("Choose another method, such as lora."),
            )
