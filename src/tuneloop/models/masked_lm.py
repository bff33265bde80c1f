"""A model that guesses hidden tokens: a new one, and its guesses at the places that count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

HEADS = ("cls", "lm_head")
"""Where BERT and RoBERTa, and those built like them, keep the head that guesses."""

GUESSES_STEP = 64
"""So many places, or a multiple, go through the head at once: few shapes, as kernels are kept for each of them."""

POSITIONS = 512
"""Places that BERT has."""


def new_bert(*, vocabulary: int, layers: int, hidden: int, heads: int, max_tokens: int) -> PreTrainedModel:
    """A `BertForMaskedLM` of random weights, drawn from torch's global generator: seed it before.

    The feed-forward part is four times as wide as the layers, as in Devlin et al., "BERT" (2019).

    Args:
        max_tokens: the longest text; a later task with longer ones has room for 512 tokens, whose places it learns.
    """
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(
        BertConfig(
            vocab_size=vocabulary,
            num_hidden_layers=layers,
            hidden_size=hidden,
            num_attention_heads=heads,
            intermediate_size=4 * hidden,
            max_position_embeddings=max(POSITIONS, max_tokens),
        )
    )


def guesses(model: PreTrainedModel, batch: dict[str, torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    """Logits over the vocabulary at the hidden places alone, float32, (hidden tokens, vocabulary).

    The vocabulary is most of the work of a small model, and six of seven places need no guess.

    Args:
        batch: what the model takes, each (texts, tokens).
        hidden: the places to guess, bool, (texts, tokens).
    """
    from torch.nn.functional import pad

    head = next((head for name in HEADS if (head := getattr(model, name, None)) is not None), None)
    if head is None:
        return model(**batch).logits[hidden].float()
    places = hidden.flatten().nonzero().squeeze(1)
    filled = pad(places, (0, -len(places) % GUESSES_STEP))  # with the first place of all, whose guess is dropped
    states = model.base_model(**batch).last_hidden_state.flatten(0, 1)
    return head(states[filled])[: len(places)].float()
