"""An encoder in stages is the encoder, and layers that are not there are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from tuneloop.core.errors import ConfigError
from tuneloop.data.tokens import Tokens
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.pooling import add_mean_layer
from tuneloop.models.stages import Stages, check_layers, following, means_at_exits

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_labels": 3}
SMALL = SHAPE | {"intermediate_size": 64, "max_position_embeddings": 64, "initializer_range": 0.3}
LENGTHS = [7, 12, 3, 12]
TOKENS = Tokens(
    np.random.default_rng(0).integers(2, 40, sum(LENGTHS)).astype(np.int32),
    np.concatenate([[0], np.cumsum(LENGTHS)]),
    None,
    np.zeros(4, bool),
)


def built(name: str = "Bert", **changes: object) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**(SMALL | changes))
    return getattr(transformers, f"{name}ForSequenceClassification")(config).eval().requires_grad_(False)


def batch(rows: list[int]) -> dict[str, torch.Tensor]:
    arrays = TOKENS.batch(rows, width=12)
    return {name: torch.from_numpy(arrays[name]) for name in ("input_ids", "attention_mask")}


def through(stages: Stages, given: dict[str, torch.Tensor], count: int) -> torch.Tensor:
    mask = given["attention_mask"]
    for number in range(count):
        given = following(stages.states(number, given), mask)
    return stages.logits(given)


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
@pytest.mark.parametrize("layers", [(1,), (2,), (1, 2)])
def test_texts_that_stay_together_have_the_answers_of_the_whole_model_to_the_bit(
    name: str, layers: tuple[int, ...]
) -> None:
    model = built(name, **({"embedding_size": 32} if name == "Electra" else {}))
    given = batch([0, 1, 2, 3])
    before = model(**given).logits
    assert torch.equal(through(Stages(model, layers), given, len(layers)), before)
    assert torch.equal(model(**given).logits, before)  # nor has the model changed


@pytest.mark.parametrize("shortened", [False, True])
def test_a_layer_that_only_takes_the_mean_belongs_to_the_last_stage(shortened: bool) -> None:
    model = built()
    add_mean_layer(model)
    model = read_first_token_only(model) if shortened else model
    given = batch([0, 1])
    assert torch.equal(through(Stages(model, (1, 2)), given, 2), model(**given).logits)
    with pytest.raises(ConfigError, match=r"\[3\], but the model has 3 layers"):
        check_layers(model, (3,))


def test_means_are_those_of_the_tokens_that_are_no_padding() -> None:
    model = built()
    found = means_at_exits(model, (1, 3 - 1), TOKENS)
    assert found.shape == (2, 4, 32)
    for row, length in enumerate(LENGTHS):
        arrays = TOKENS.batch([row], width=length)
        states = model(input_ids=torch.from_numpy(arrays["input_ids"]), output_hidden_states=True).hidden_states
        for number, layer in enumerate((1, 2)):
            np.testing.assert_allclose(found[number, row], states[layer][0].mean(0).numpy(), atol=1e-5)


@pytest.mark.parametrize("layers", [(0,), (3,), (2, 1), (1, 1), (-1,)])
def test_layers_that_are_not_there_or_out_of_order_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="the model has 3 layers") as refused:
        check_layers(built(), layers)
    assert "from 1 to 2" in refused.value.hint


def test_what_is_not_built_like_bert_is_refused() -> None:
    settings = {"vocab_size": 40, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**settings))
    with pytest.raises(ConfigError, match="DistilBertForSequenceClassification is none"):
        check_layers(model, (1,))
    with pytest.raises(ConfigError, match="cannot be run one after the other"):
        Stages(built("Electra", embedding_size=16), (1,))
