"""Prompt tuning: a few learnt word vectors in every text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation, AdaptationOptions, train_head_alone
from tuneloop.methods.base import check_whole

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.tasks.base import Task


class PromptOptions(AdaptationOptions):
    """Options of prompt tuning."""

    length: int = Field(20, ge=1, description="Learnt word vectors in each text.")
    rate_scale: float = Field(
        100.0, gt=0, description="Learning rate of the adapted weights relative to training.learning_rate."
    )


class PromptTuning(Adaptation):
    """Learnt vectors after the first token, which start as the embeddings of words, and the head.

    Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (2021). Small encoders gain less from it
    than from prefixes in every layer. It is kept beside the pretrained model.
    """

    name = "prompt"
    Options = PromptOptions
    options: PromptOptions
    mergeable = False

    @property
    def positions(self) -> int:
        return self.options.length

    def check(self, task: Task) -> None:
        # its vectors would be answered for too, and alone they hardly move the vector of a text
        if task.per_token or task.embeds:
            check_whole(task, method=self.name)

    def prepare(self, model: PreTrainedModel) -> None:
        import torch

        from tuneloop.methods.modules import PromptedEmbedding, make_room

        holder, length = getattr(model.base_model, "embeddings", None), self.options.length
        if not hasattr(holder, "word_embeddings") or not hasattr(holder, "position_embeddings"):
            raise ModelError(
                t("A model of the kind {model} has no place for a prompt.", model=model.config.model_type),
                t("Choose a model built like BERT, or another method, such as lora."),
            )
        words = model.get_input_embeddings()
        rows = torch.randint(len(words.weight), (length,))
        train_head_alone(model)
        holder.word_embeddings = PromptedEmbedding(words, words.weight.detach()[rows])
        model.base_model.register_forward_pre_hook(partial(make_room, length), with_kwargs=True)
