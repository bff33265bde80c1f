"""Bottleneck adapters: small layers learn between frozen ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation, AdaptationOptions, train_head_alone
from tuneloop.models.pooling import own_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class BottleneckOptions(AdaptationOptions):
    """Options of bottleneck adapters."""

    size: int = Field(32, ge=1, description="Width of the narrow part of an adapter.")
    variant: Literal["houlsby", "pfeiffer"] = Field(
        "houlsby", description="houlsby: after attention and feed-forward; pfeiffer: after the feed-forward part alone."
    )


class BottleneckAdapter(Adaptation):
    """Adapters of width m in layers of width d, which start close to the identity.

    houlsby: Houlsby et al., "Parameter-Efficient Transfer Learning for NLP" (2019): x + U f(D x) before each residual
    sum; layer norms learn too. Per layer 2 (2md + d + m) + 4d weights.
    pfeiffer: Pfeiffer et al., "MAD-X" (2020), equation 1: U f(D norm(h + x)) + h, then the sum and the norm of the
    layer, after the feed-forward part h of x. Per layer 2md + d + m weights.

    They cannot be added into the weights of the model: the run keeps them beside the pretrained model.
    """

    name = "adapter"
    Options = BottleneckOptions
    options: BottleneckOptions
    mergeable = False

    def prepare(self, model: PreTrainedModel) -> None:
        import torch

        from tuneloop.methods.modules import Bottleneck, NormedOutput

        layers = own_layers(model)
        if not layers or not all(_is_like_bert(layer) for layer in layers):
            raise ModelError(
                t("A model of the kind {model} has no place for adapters.", model=model.config.model_type),
                t("Choose a model built like BERT, or another method, such as lora."),
            )
        train_head_alone(model)
        width = int(model.config.hidden_size)
        for layer in layers:
            if self.options.variant == "pfeiffer":
                layer.output = NormedOutput(layer.output, Bottleneck(width, self.options.size))
                continue
            for part in (layer.attention.output, layer.output):
                part.dropout = torch.nn.Sequential(part.dropout, Bottleneck(width, self.options.size))
                part.LayerNorm.requires_grad_(True)


def _is_like_bert(layer: Any) -> bool:
    parts = [getattr(getattr(layer, "attention", None), "output", None), getattr(layer, "output", None)]
    return all(hasattr(part, name) for part in parts for name in ("dense", "dropout", "LayerNorm"))
