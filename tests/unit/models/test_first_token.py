"""The shortened last layer gives the same answers, and only where it may."""

from __future__ import annotations

import pytest

from tuneloop.models.first_token import read_first_token_only

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL = SHAPE | {"intermediate_size": 64, "max_position_embeddings": 64, "num_labels": 3, "initializer_range": 0.3}


def built(name: str, settings: dict[str, object]):
    import torch
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings)
    return getattr(transformers, f"{name}ForSequenceClassification")(config).eval()


def answers(model):
    import torch

    ids = torch.arange(2, 26).reshape(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask).logits, model(input_ids=ids[:1, :5]).logits


def is_shortened(model) -> bool:
    return any("forward" in vars(module) for module in model.modules())


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
def test_a_model_like_bert_is_shortened_and_answers_alike(name: str) -> None:
    import torch

    model = built(name, SMALL)
    before = answers(model)
    assert is_shortened(read_first_token_only(model))
    for found, expected in zip(answers(model), before, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_training_it_gives_the_same_gradients(attention: str) -> None:
    import torch

    model = built("Bert", SMALL | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}).train()
    model.set_attn_implementation(attention)
    before = gradients(model)
    assert is_shortened(read_first_token_only(model)) and model.training
    for name, found in gradients(model).items():
        torch.testing.assert_close(found, before[name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.long
def test_dropout_reaches_the_shortened_attention() -> None:
    import torch

    model = built("Bert", SMALL | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.5})
    for layer in model.bert.encoder.layer[:-1]:
        layer.attention.self.dropout.p = 0.0
    ids = torch.arange(2, 14).reshape(1, 12)

    def spread() -> tuple[torch.Tensor, torch.Tensor]:
        with torch.inference_mode():
            drawn = torch.stack([model.train()(input_ids=ids).logits for _ in range(2000)])
        return drawn.mean(dim=0), drawn.std(dim=0)

    mean, deviation = spread()
    assert is_shortened(read_first_token_only(model))
    shortened_mean, shortened_deviation = spread()
    assert deviation.min() > 0.1
    assert ((shortened_mean - mean).abs() < 0.15 * deviation).all()
    torch.testing.assert_close(shortened_deviation, deviation, atol=0, rtol=0.15)


def gradients(model):
    import torch

    ids = torch.arange(2, 26).reshape(2, 12)
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    model.zero_grad()
    model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 2])).loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def test_a_head_that_reads_another_token_keeps_the_whole_layer() -> None:
    import torch

    model = built("Bert", SMALL)

    class Mean(torch.nn.Module):
        def forward(self, hidden_states):
            return hidden_states.mean(dim=1)

    model.bert.pooler = Mean()
    before = answers(model)[0]
    assert not is_shortened(read_first_token_only(model))
    assert torch.equal(answers(model)[0], before)


def test_a_model_built_otherwise_comes_back_as_it_was() -> None:
    settings = {"vocab_size": 40, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "num_labels": 3}
    assert not is_shortened(read_first_token_only(built("DistilBert", settings)))
