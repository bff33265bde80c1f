"""What stands in for frozen layers changes no answer, and only inside the block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tuneloop.core.config import MethodConfig
from tuneloop.data.tokens import Tokens
from tuneloop.methods import METHODS, create_method
from tuneloop.models.frozen import FrozenPrefix

SHAPE = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "num_labels": 3}
SMALL = SHAPE | {"intermediate_size": 64, "max_position_embeddings": 64, "initializer_range": 0.3}
LENGTHS = [7, 12, 3]
TOKENS = Tokens(
    np.random.default_rng(0).integers(2, 40, sum(LENGTHS)).astype(np.int32),
    np.concatenate([[0], np.cumsum(LENGTHS)]),
    None,
    np.zeros(3, bool),
)


def built(name: str = "Bert", frozen: int = 2, **changes: object) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**(SMALL | changes))
    model = getattr(transformers, f"{name}ForSequenceClassification")(config)
    create_method(MethodConfig(type="full", frozen_layers=frozen)).prepare(model)
    return model


def kept(model: transformers.PreTrainedModel, folder: Path) -> FrozenPrefix:
    prefix = FrozenPrefix(model)
    prefix.keep(TOKENS, "fp32", folder=folder, limit_bytes=10**6, quiet=True)
    return prefix


def answer(model: transformers.PreTrainedModel, rows: list[int]) -> torch.Tensor:
    batch = {name: torch.from_numpy(array) for name, array in TOKENS.batch(rows, width=16).items()}
    return model(**batch).logits


@pytest.mark.parametrize("name", ["Bert", "Roberta", "Electra"])
@pytest.mark.parametrize("frozen", [1, 2, 3])
def test_kept_states_give_the_same_answer_of_the_texts_they_are_of(tmp_path: Path, name: str, frozen: int) -> None:
    changes = {"embedding_size": 32} if name == "Electra" else {}
    model, rows = built(name, frozen, **changes).eval(), np.array([2, 0])
    with kept(model, tmp_path) as prefix:
        with prefix.standing_in(rows, 16):
            found = answer(model, [2, 0])
        with prefix.standing_in(np.array([0, 2]), 16):
            swapped = answer(model, [2, 0])
        after = answer(model, [2, 0])
    with FrozenPrefix(model) as prefix, prefix.standing_in(rows, 16):
        rounded = answer(model, [2, 0])
    torch.testing.assert_close(found, rounded, atol=1e-3, rtol=0)
    assert (found - swapped).abs().max() > 0.1
    assert not torch.equal(rounded, after)
    assert torch.equal(after, answer(model, [2, 0]))
    assert not any("forward" in vars(module) for module in model.modules())


def test_what_stands_at_padded_places_reaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = built(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        with prefix.standing_in(np.array([2, 0, 1]), 16):
            answer(model, [2, 0, 1]).square().sum().backward()
        return [weight.grad.clone() for weight in model.parameters() if weight.requires_grad]

    with kept(model, tmp_path) as prefix:
        expected, read = gradients(), prefix._states.read

        def with_noise(rows: np.ndarray, width: int) -> torch.Tensor:
            batch = read(rows, width)
            for text, row in zip(batch, rows, strict=True):
                text[LENGTHS[row] :] = 50.0
            return batch

        monkeypatch.setattr(prefix._states, "read", with_noise)
        for found, wanted in zip(gradients(), expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_frozen_layers_drop_nothing_and_keep_nothing_for_a_gradient(attention: str) -> None:
    model = built(hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    model.set_attn_implementation(attention)
    layers, received = model.bert.encoder.layer, []
    with FrozenPrefix(model) as prefix:
        model.train(), prefix.eval()
        layers[1].register_forward_hook(lambda _, __, states: received.append(states))
        answers = [answer(model, [0, 1]) for _ in range(2)]
    assert torch.equal(*received) and not received[0].requires_grad
    assert not torch.equal(*answers)
    assert layers[2].training and not layers[1].attention.self.training


def test_layers_of_any_model_are_put_into_evaluation_mode() -> None:
    settings = {"vocab_size": 40, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig(**settings))
    create_method(MethodConfig(type="full", frozen_layers=1)).prepare(model)
    model.train(), FrozenPrefix(model).eval()
    lower, upper = model.distilbert.transformer.layer
    assert not model.distilbert.embeddings.dropout.training and not lower.attention.dropout.training
    assert upper.attention.dropout.training and model.dropout.training
    assert FrozenPrefix(model).size_bytes(TOKENS) == 0


def test_something_between_embeddings_and_layers_is_noticed() -> None:
    assert FrozenPrefix(built("Electra", embedding_size=32)).size_bytes(TOKENS) > 0
    assert FrozenPrefix(built("Electra", embedding_size=16)).size_bytes(TOKENS) == 0


SOLVED_OR_IN_NEED = {"auto", "probe", "zero_shot", "in_context", "distill", "self_training", "consistency"}


@pytest.mark.parametrize("method", sorted({*METHODS.names()} - SOLVED_OR_IN_NEED))
def test_methods_that_train_in_the_first_layer_have_no_prefix(method: str) -> None:
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL))
    create_method(MethodConfig(type=method)).prepare(model)
    model.train(), FrozenPrefix(model).eval()
    assert FrozenPrefix(model).size_bytes(TOKENS) == 0
    assert all(module.training for module in model.modules())


def test_a_layer_that_somebody_looks_into_is_not_left_out() -> None:
    model = built()
    model.bert.encoder.layer[0].output.register_forward_hook(lambda *_: None)
    assert FrozenPrefix(model).size_bytes(TOKENS) == 0


def test_states_of_other_weights_texts_or_layers_are_not_taken(tmp_path: Path) -> None:
    kept(built(), tmp_path), kept(built(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    other = built()
    with torch.no_grad():
        other.bert.encoder.layer[0].output.dense.bias[0] += 1
    kept(other, tmp_path), kept(built(frozen=1), tmp_path)
    FrozenPrefix(built()).keep(TOKENS.select([1, 0, 2]), "fp32", folder=tmp_path, limit_bytes=10**6, quiet=True)
    assert len(list(tmp_path.iterdir())) == 4
    trained_above = built()
    with torch.no_grad():
        trained_above.bert.encoder.layer[2].output.dense.bias[0] += 1
    kept(trained_above, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(("method", "through"), [("prompt", 0), ("prefix", 0), ("lora", 0), ("full", 1)])
def test_layers_that_learnt_vectors_go_through_are_not_before_what_is_trained(
    chat_model: Path, method: str, through: int
) -> None:
    from tuneloop.models.frozen import _leading
    from tuneloop.models.load import load_writer

    model = load_writer(chat_model)
    more = {"frozen_layers": 1} if method == "full" else {}
    create_method(MethodConfig(type=method, **more)).prepare(model)
    assert len(_leading(model)[1]) == through
