"""Prompt tuning: a few learnt word vectors in every text."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import Adaptation, AdaptationOptions, train_head_alone
from tuneloop.methods.base import Adapter, check_whole
from tuneloop.methods.prefix import virtual_tokens_of_peft
from tuneloop.models.load import has_new_head

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

    Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (2021). In a model that writes, they stand
    before the first token. Small models gain less from it than from prefixes in every layer. It is kept beside the
    pretrained model.
    """

    name = "prompt"
    writes = True
    Options = PromptOptions
    options: PromptOptions
    mergeable = False

    def positions(self, task: Task) -> int:
        return self.options.length

    def check(self, task: Task) -> None:
        # its vectors would be answered for too, and alone they hardly move the vector of a text
        if task.per_token or task.embeds:
            check_whole(task, method=self.name)

    def prepare(self, model: PreTrainedModel) -> None:
        import torch

        from tuneloop.methods.modules import PromptedEmbedding, make_room

        if not has_new_head(model):
            from tuneloop.models.virtual_tokens import add_prompt

            train_head_alone(model)
            return add_prompt(model, self.options.length)
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

    def adapter(self, model: PreTrainedModel) -> Adapter | None:
        if has_new_head(model):
            return None
        return virtual_tokens_of_peft(model, "PROMPT_TUNING", model.base_model.prompt.vectors.detach().clone())
