"""A classifier whose logits are the text's own vector: so embedding models are trained, released and served like all.

Its pooler and last layer let through what they receive, and stay so: tanh is straight near 0, where the pooler
scales its input to, and the last layer scales it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.models.first_token import sample_batch

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

QUIET = 0.01
"""Scale of what goes through tanh: it is then straight to 1e-4 of its size."""


def let_through(model: PreTrainedModel) -> None:
    """Make the logits the vector of the first token, (batch, hidden), in place.

    Raises:
        ModelError: if the model's head is built in another way.
    """
    import torch

    dense = [module for module in _head(model) if isinstance(module, torch.nn.Linear)]
    square = all(each.in_features == each.out_features for each in dense)
    if square and len(dense) in (1, 2):
        scales = (1.0,) if len(dense) == 1 else (QUIET, 1 / QUIET)
        with torch.no_grad():
            for layer, scale in zip(dense, scales, strict=True):
                layer.weight.copy_(torch.eye(layer.in_features) * scale)
                if layer.bias is not None:
                    layer.bias.zero_()
    if not square or not _is_straight(model):
        raise ModelError(
            t("A model of the kind {model} does not give a text's vector.", model=model.config.model_type),
            t("Choose a model built like BERT, such as a sentence encoder."),
        )


def keep_head(model: PreTrainedModel) -> None:
    """Freeze the head, so that it goes on letting through what it receives."""
    if hasattr(model, "embed"):  # under whose last layer the fusion is new, and learns
        model.classifier.requires_grad_(False)
        return
    for module in _head(model):
        module.requires_grad_(False)


def _head(model: PreTrainedModel) -> list[Any]:
    """The modules of the pooler and of what stands on the pretrained model, in order."""
    prefix = model.base_model_prefix
    names = [(name, module) for name, module in model.named_modules() if name]
    return [module for name, module in names if name.split(".")[0] != prefix or ".pooler" in name]


def _is_straight(model: PreTrainedModel) -> bool:
    """Whether the logits are what the first token's last hidden state says."""
    import torch

    training = model.training
    model.eval()
    sample: dict[str, torch.Tensor] = sample_batch(model)
    with torch.inference_mode():
        first, logits = model.base_model(**sample).last_hidden_state[:, 0], model(**sample).logits
    model.train(training)
    return first.shape == logits.shape and torch.allclose(first, logits, atol=1e-2, rtol=1e-3)
