"""Which learning rate and decay each weight gets under full fine-tuning."""

from __future__ import annotations

import pytest
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from tuneloop.methods.full import FullFineTuning, FullOptions

BERT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def scales(model: BertForSequenceClassification | GPT2ForSequenceClassification, **options: float) -> dict[str, float]:
    groups = FullFineTuning(FullOptions(**options)).parameter_groups(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {names[id(parameter)]: group.scale for group in groups for parameter in group.parameters}
    assert len(found) == sum(len(group.parameters) for group in groups) == len(names)
    return found


def test_the_head_learns_faster_and_lower_layers_more_slowly() -> None:
    found = scales(BertForSequenceClassification(BertConfig(vocab_size=30, **BERT)), layer_decay=0.5, head_scale=8)
    expected = {
        "classifier.weight": 8,
        "bert.pooler.dense.bias": 8,
        "bert.encoder.layer.1.output.dense.weight": 0.5,
        "bert.encoder.layer.0.output.dense.bias": 0.25,
        "bert.embeddings.word_embeddings.weight": 0.125,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_last_norm_of_the_pretrained_model_is_not_its_head() -> None:
    config = GPT2Config(vocab_size=30, n_embd=16, n_layer=1, n_head=2, n_positions=8)
    found = scales(GPT2ForSequenceClassification(config), head_scale=8)
    assert found["score.weight"] == 8
    assert found["transformer.ln_f.weight"] == 1


def test_biases_and_norms_never_decay() -> None:
    groups = FullFineTuning(FullOptions()).parameter_groups(
        BertForSequenceClassification(BertConfig(vocab_size=30, **BERT))
    )
    assert all((parameter.ndim > 1) == group.decay for group in groups for parameter in group.parameters)
