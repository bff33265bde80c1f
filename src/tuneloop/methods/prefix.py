"""Prefix tuning: learnt keys and values that every layer's attention sees before the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation, AdaptationOptions, train_head_alone
from tuneloop.methods.base import Adapter
from tuneloop.models.first_token import is_like_bert
from tuneloop.models.load import has_new_head
from tuneloop.models.pooling import own_layers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.tasks.base import Task


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
    section 4.3, a layer of its own in each transformer layer. In a model that writes, keys and values start as those of
    random words (section 7.5 there). It is kept beside the pretrained model.
    """

    name = "prefix"
    writes = True
    Options = PrefixOptions
    options: PrefixOptions
    mergeable = False

    def positions(self, task: Task) -> int:
        return self.options.length if task.generates else 0

    def prepare(self, model: PreTrainedModel) -> None:
        from tuneloop.methods.modules import PrefixedAttention

        if not has_new_head(model):
            from tuneloop.models.virtual_tokens import add_prefix

            train_head_alone(model)
            return add_prefix(model, self.options.length, self.options.projection)
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

    def adapter(self, model: PreTrainedModel) -> Adapter | None:
        if has_new_head(model):
            return None
        from tuneloop.models.virtual_tokens import learnt_prefix

        return virtual_tokens_of_peft(model, "PREFIX_TUNING", learnt_prefix(model), prefix_projection=False)


def virtual_tokens_of_peft(model: PreTrainedModel, kind: str, learnt: torch.Tensor, **settings: Any) -> Adapter:
    """Virtual tokens of a causal model as a folder of PEFT keeps them.

    Args:
        kind: the name that PEFT has for the method.
        learnt: (tokens, values of each).
        settings: what the method's own configuration says beside them.
    """
    from peft import get_peft_config
    from peft.utils.other import _prepare_prompt_learning_config

    asked = {"peft_type": kind, "task_type": "CAUSAL_LM", "num_virtual_tokens": len(learnt), "inference_mode": True}
    config = _prepare_prompt_learning_config(get_peft_config(asked | settings), model.config)
    config.num_transformer_submodules = 1
    return Adapter(config.to_dict(), {"prompt_embeddings": learnt}, ())
