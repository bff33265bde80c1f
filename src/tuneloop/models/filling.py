"""A language model that answers by the word it would put into a gap: a classifier with nothing new in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.models.load import Outputs, describe_outputs, load_language_model
from tuneloop.models.masked_lm import HEADS

if TYPE_CHECKING:
    from transformers import PretrainedConfig


Words = Sequence[Sequence[int]]
"""Words, each as its tokens."""


class GapFiller(PreTrainedModel):  # type: ignore[misc]
    """Logits of classes: what the language model says of their words at the gap.

    The gap is the mask token, or what comes after the last token of a model that writes from left to right. A class of
    several words has the mean of their logits, and a word of several tokens the mean of theirs, as the output layer is
    linear: one row of `classifier` for each class.

    Args:
        language_model: its body and its head become parts of this model.
        rows: the words of each class, each as its tokens.
        mask_id: the mask token; None for a model that writes from left to right.
    """

    reads_first_token = False
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = True  # as its body does

    def __init__(self, language_model: PreTrainedModel, rows: Sequence[Words], mask_id: int | None) -> None:
        config: PretrainedConfig = language_model.config
        super().__init__(config)
        self.base_model_prefix = language_model.base_model_prefix
        self.mask_id = mask_id
        decoder = language_model.get_output_embeddings()
        setattr(self, self.base_model_prefix, language_model.base_model)
        self.transform = torch.nn.Identity() if mask_id is None else _without(language_model, decoder)
        self.classifier = torch.nn.Linear(decoder.in_features, len(rows))
        with torch.no_grad():
            for number, words in enumerate(rows):
                self.classifier.weight[number] = _mean(decoder.weight, words)
                self.classifier.bias[number] = 0.0 if decoder.bias is None else _mean(decoder.bias, words)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """Logits (batch, classes)."""
        given: dict[str, Any] = {"attention_mask": attention_mask}
        if getattr(self.config, "type_vocab_size", 0):
            given["token_type_ids"] = token_type_ids
        hidden = self.base_model(input_ids=input_ids, **given).last_hidden_state
        place = self._gap(input_ids, attention_mask).to(hidden.dtype)
        at_gap = (place[:, None] @ hidden)[:, 0]
        return SequenceClassifierOutput(logits=self.classifier(self.transform(at_gap)))

    def _gap(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
        """1 at the gap and 0 elsewhere, (batch, tokens)."""
        if self.mask_id is not None:
            return input_ids == self.mask_id
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return mask.cumsum(dim=1) * mask == mask.sum(dim=1, keepdim=True)


def _mean(values: torch.Tensor, words: Words) -> torch.Tensor:
    """The mean over words of the mean over their tokens."""
    return torch.stack([values[list(tokens)].mean(dim=0) for tokens in words]).mean(dim=0)


def load_gap_filler(
    folder: Path,
    task: Outputs,
    *,
    rows: Sequence[Words],
    mask_id: int | None,
    dropout: float | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """The language model in `folder` as a classifier.

    Raises:
        ModelError: if the folder cannot be read, or its head that guesses words was never trained.
    """
    model, new_head = load_language_model(folder, masked=mask_id is not None, trust_remote_code=trust_remote_code)
    if new_head:
        raise ModelError(
            t("The model in {folder} was not trained to guess words: its head is missing.", folder=folder),
            t("Teach it with: tuneloop pretrain, or choose another method, such as full or contrastive."),
        )
    describe_outputs(model.config, task, dropout)
    filler = GapFiller(model, rows, mask_id)
    if dropout is not None:
        for module in filler.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
    return filler


def _without(language_model: PreTrainedModel, decoder: torch.nn.Module) -> torch.nn.Module:
    """The head of a masked language model up to its output layer, which would know of the whole vocabulary."""
    head: torch.nn.Module | None = next((h for name in HEADS if (h := getattr(language_model, name, None))), None)
    owner = next((m for m in head.modules() if getattr(m, "decoder", None) is decoder), None) if head else None
    if head is None or owner is None:
        raise ModelError(
            t(
                "The head of a model of the kind {model} is not where it is looked for.",
                model=language_model.config.model_type,
            ),
            t("Choose a model built like BERT or RoBERTa."),
        )
    owner.decoder = torch.nn.Identity()
    if isinstance(getattr(owner, "bias", None), torch.nn.Parameter):  # of the whole vocabulary
        del owner.bias
    return head
