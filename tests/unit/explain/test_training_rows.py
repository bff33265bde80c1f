from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.audited import hotel_rows, word_model
from tests.conftest import MadeUp
from tuneloop.core.errors import ModelError
from tuneloop.data.examples import Examples
from tuneloop.explain.influence import Influencing, refuses
from tuneloop.explain.nearest import TrainingRows, sentence

TEXT = "a good c good good"


def with_rows(rows: list[tuple[str, str]]) -> Examples:
    """The rows of the tiny model, with others planted among them."""
    train = MadeUp("classification").split("train")
    texts, labels = zip(*rows, strict=True)
    ids = [f"planted {number}" for number in range(len(rows))]
    return Examples(train.ids + ids, train.texts + list(texts), train.labels + list(labels))


def test_influence_is_the_product_of_the_gradients_of_the_last_layer(learnt: Callable[..., Any]) -> None:
    import torch

    from tuneloop.explain.vectors import vectors_of
    from tuneloop.models.load import head_of

    model = learnt("classification")
    train = with_rows([(TEXT, "no")])
    head = head_of(model.engine.model)

    def gradient(item: str, label: str) -> np.ndarray[Any, Any]:
        weight = head.weight.detach().clone().requires_grad_()
        bias = head.bias.detach().clone().requires_grad_()
        logits = torch.nn.functional.linear(torch.from_numpy(vectors_of(model, [item])), weight, bias)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([model.task.labels.index(label)]))
        return torch.cat([each.ravel() for each in torch.autograd.grad(loss, (weight, bias))]).numpy()

    found = Influencing(TrainingRows(model, train)).values(TEXT, "yes")
    for row in (0, 1, 2, len(train) - 1):
        expected = gradient(train.texts[row], str(train.labels[row])) @ gradient(TEXT, "yes")
        assert found[row] == pytest.approx(float(expected), rel=1e-3, abs=1e-9)


def test_a_mislabelled_copy_is_found_as_what_harms_most(learnt: Callable[..., Any]) -> None:
    model, train = learnt("classification"), with_rows([(TEXT, "no"), (TEXT, "yes")])
    found = Influencing(TrainingRows(model, train)).of(TEXT, label="yes", most=3)
    assert found.answer == found.label == "yes" and found.rows == 92
    assert found.harmful[0].id == "planted 0" and found.harmful[0].label == "no" and found.harmful[0].value < 0
    assert found.harmful[0].probability < 0.5
    assert "planted 1" not in [each.id for each in found.harmful]
    assert all(each.value > 0 for each in found.helpful)
    # of the loss of the wrong label, the same row is what helps
    assert Influencing(TrainingRows(model, train)).of(TEXT, label="no", most=1).helpful[0].id == "planted 0"


def test_the_model_s_own_vectors_find_a_copy(learnt: Callable[..., Any]) -> None:
    rows = TrainingRows(learnt("classification"), with_rows([(TEXT, "yes")]))
    found = rows.nearest(TEXT, most=3)
    assert found.seen == "vectors" and found.rows[0].id == "planted 0"
    assert found.rows[0].similarity == pytest.approx(1.0, abs=1e-5)
    assert sentence(found).startswith("3 of the 3 nearest training rows, by the model's own vectors")


def test_without_vectors_words_are_compared_and_influence_is_refused() -> None:
    train = hotel_rows(50, seed=1)
    rows = TrainingRows(word_model(), train)
    near = rows.nearest(train.texts[7], most=2).rows
    assert rows.seen == "words" and rows.why_words
    assert rows.all_rows == 50 and len(TrainingRows(word_model(), train, most=20).rows) == 20
    assert near[0].id == "7" and near[0].similarity == pytest.approx(1.0) and near[1].similarity < 0.99
    assert refuses(word_model())
    with pytest.raises(ModelError, match="no torch model in fp32"):
        Influencing(rows)


def test_pairs_are_read_as_pairs(learnt: Callable[..., Any]) -> None:
    train = MadeUp("pair").split("train")
    found = Influencing(TrainingRows(learnt("pair"), train)).of(train.inputs[0], most=2)
    assert found.helpful and found.helpful[0].pair == "a b"
    (near,) = TrainingRows(learnt("pair"), train).nearest(train.inputs[0], most=1).rows
    assert near.similarity == pytest.approx(1, abs=1e-5)
