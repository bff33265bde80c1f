"""Operations that a text needs, against the formula of a BERT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, T5Config, T5ForConditionalGeneration

from tuneloop.models.flops import Flops, counted, fitted, forward_flops, from_json

HIDDEN, INNER, LAYERS, LABELS = 32, 64, 3, 2


def bert(attention: str) -> Any:
    shape = {"hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 4}
    config = BertConfig(vocab_size=50, max_position_embeddings=40, num_labels=LABELS, **shape)
    return BertForSequenceClassification._from_config(config, attn_implementation=attention)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_they_are_those_of_the_formula(attention: str) -> None:
    found = forward_flops(bert(attention))
    assert found is not None
    assert found.per_token == pytest.approx(2 * LAYERS * (4 * HIDDEN**2 + 2 * HIDDEN * INNER))
    assert found.per_pair == pytest.approx(2 * LAYERS * 2 * HIDDEN)  # queries by keys, weights by values
    assert found.per_text == pytest.approx(2 * (HIDDEN**2 + HIDDEN * LABELS))  # the pooler and the head


def test_a_model_with_few_places_is_asked_for_fewer_tokens() -> None:
    shape = {"hidden_size": HIDDEN, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 4}
    few = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=16, **shape))
    assert forward_flops(few) == forward_flops(bert("sdpa"))
    none = BertForSequenceClassification(BertConfig(vocab_size=50, max_position_embeddings=3, **shape))
    assert forward_flops(none) is None


def test_counting_leaves_the_model_as_it_was() -> None:
    model = bert("sdpa").train()
    before, state = torch.get_rng_state(), {name: value.clone() for name, value in model.state_dict().items()}
    forward_flops(model)
    assert model.training and torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_gradient_of_everything_costs_twice_the_answer() -> None:
    one, other = torch.ones(4, 8, requires_grad=True), torch.ones(8, 2, requires_grad=True)
    forward = counted(lambda: one @ other)
    assert forward == 2 * 4 * 8 * 2
    assert counted(lambda: torch.autograd.grad((one @ other).sum(), [one, other])) == 3 * forward


def test_a_model_that_reads_two_sequences_is_not_counted() -> None:
    shape = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    assert forward_flops(T5ForConditionalGeneration(T5Config(vocab_size=20, **shape))) is None


def test_what_was_counted_is_found_again_from_as_few_lengths_as_there_are() -> None:
    true = Flops(7.0, 5.0, 3.0)
    assert fitted((n, int(true.of([n]))) for n in (4, 9, 20)) == true
    assert fitted([(4, 28), (8, 48)]).of([6]) == pytest.approx(38)
    assert fitted([(4, 28)]).of(np.array([4, 4])) == pytest.approx(56)
    assert from_json(true.to_json()) == true
    assert from_json(None) is None
