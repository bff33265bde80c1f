"""The mean over a text's tokens, as one more ordinary layer in front of a head that reads the first token.

Sentence encoders are trained to be read by the mean of their last hidden states, but the usual
classification head reads the first token, which nobody has trained to say much. A transformer layer
can compute that mean: its attention is the same to all tokens (queries and keys of zero), values and
projections are the identity, the feed-forward part is zero. So the model stays what transformers
calls a `BertForSequenceClassification`, with a layer more, and whatever opens that opens it.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.models.first_token import attends_to_all_alike, encoder_layers, is_like_bert

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LOUDER = 1000.0
"""How much louder than the residual the mean enters the sum before the layer's norm, which then undoes the
scale: the first token keeps a share of a thousandth."""


def is_mean_pooled(folder: Path) -> bool:
    """Whether sentence-transformers' description in a model folder says that the mean is what it was trained for."""
    try:
        settings = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and bool(settings.get("pooling_mode_mean_tokens"))


def add_mean_layer(model: PreTrainedModel) -> bool:
    """Add the layer, in place, to a model built like BERT; any other stays as it is.

    The first token of the last hidden states is then the mean over all tokens of those before, normalised to mean 0
    and variance 1.

    Returns:
        Whether it was added.
    """
    import torch

    layers = encoder_layers(model)
    if not layers or not is_like_bert(layers[-1]):
        return False
    layer: Any = copy.deepcopy(layers[-1])
    own, projection = layer.attention.self, layer.attention.output
    with torch.no_grad():
        for part in (own.query, own.key, layer.intermediate.dense, layer.output.dense):
            _fill(part, 0.0)
        _fill(own.value, 1.0)
        _fill(projection.dense, LOUDER)
        for norm in (projection.LayerNorm, layer.output.LayerNorm):
            norm.reset_parameters()
    layers.append(layer)
    model.config.num_hidden_layers += 1
    return True


def mean_layer(model: PreTrainedModel) -> torch.nn.Module | None:
    """The layer that `add_mean_layer` has added, if there is one: its queries are zero. No method trains it."""
    layers = encoder_layers(model)
    return layers[-1] if layers and is_like_bert(layers[-1]) and attends_to_all_alike(layers[-1]) else None


def own_layers(model: PreTrainedModel) -> list[Any]:
    """The transformer layers of a model that has them where BERT has them, without one that only takes the mean."""
    pooling = mean_layer(model)
    return [layer for layer in encoder_layers(model) or () if layer is not pooling]


def _fill(layer: torch.nn.Linear, diagonal: float) -> None:
    """This factor times the identity, or zero."""
    layer.weight.zero_()
    layer.bias.zero_()
    if diagonal:
        layer.weight.fill_diagonal_(diagonal)
