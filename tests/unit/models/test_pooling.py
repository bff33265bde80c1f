"""The mean over the tokens as an ordinary layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.pooling import add_mean_layer, is_mean_pooled

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL = SHAPE | {"intermediate_size": 64, "max_position_embeddings": 64, "num_labels": 3, "initializer_range": 0.3}
IDS = torch.arange(2, 26).reshape(2, 12)
MASK = torch.ones_like(IDS)
MASK[1, 7:] = 0


def built(name: str, settings: dict[str, object] = SMALL):
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**settings)
    return getattr(transformers, f"{name}ForSequenceClassification")(config).eval()


def hidden(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS, attention_mask=MASK, output_hidden_states=True).hidden_states[-1]


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
def test_the_first_token_becomes_the_mean_of_those_that_are_no_padding(name: str) -> None:
    model = built(name)
    before = hidden(model)
    weights = MASK[:, :, None]
    mean = (before * weights).sum(dim=1) / weights.sum(dim=1)
    assert add_mean_layer(model)
    expected = torch.nn.functional.layer_norm(mean, mean.shape[-1:])
    assert torch.allclose(hidden(model)[:, 0], expected, atol=0.02)
    assert not torch.allclose(before[:, 0], expected, atol=0.2)


def test_transformers_opens_what_it_becomes_and_answers_alike(tmp_path: Path) -> None:
    model = built("Bert")
    add_mean_layer(model)
    model.save_pretrained(tmp_path)
    opened = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert opened.config.num_hidden_layers == 3
    with torch.inference_mode():
        answer = model(input_ids=IDS, attention_mask=MASK).logits
        assert torch.equal(opened(input_ids=IDS, attention_mask=MASK).logits, answer)
        shortened = read_first_token_only(opened)
        assert torch.allclose(shortened(input_ids=IDS, attention_mask=MASK).logits, answer, atol=1e-5)


def test_a_model_built_otherwise_stays_as_it_is() -> None:
    small = {"vocab_size": 40, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "num_labels": 3}
    model = built("DistilBert", small)
    assert not add_mean_layer(model)
    assert model.config.num_hidden_layers == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (json.dumps({"pooling_mode_mean_tokens": True}), True),
        (json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}), False),
        ("[]", False),
        ("{", False),
        (None, False),
    ],
)
def test_the_description_of_a_sentence_encoder_is_read(tmp_path: Path, text: str | None, found: bool) -> None:
    if text is not None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(text)
    assert is_mean_pooled(tmp_path) is found
