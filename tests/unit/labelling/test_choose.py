"""Suggestions from a tuned model, from an encoder alone, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.audited import hotel_rows, word_model
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.data.examples import Examples
from tuneloop.labelling.choose import suggest
from tuneloop.labelling.reading import dropout_draws
from tuneloop.labelling.strategies import STRATEGIES


def rows(made_up, count: int = 10) -> tuple[list[str], Examples]:
    data = made_up("classification")
    return data.split("unlabelled").texts, data.split("train").select(range(count))


@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_suggests_texts_of_the_pool_with_the_answer_of_the_model(name: str, learnt, made_up) -> None:
    items, labelled = rows(made_up)
    model = learnt("classification")
    found = suggest(items, labelled, model, strategy=name, count=8, quiet=True)
    assert len(found) == 8
    assert [each.item for each in found] == [items[each.row] for each in found]
    assert [each.guess for each in found] == [each.label for each in model.predict([one.item for one in found])]
    assert found == suggest(items, labelled, model, strategy=name, count=8, quiet=True)
    assert {each.strategy for each in found} == {name}


def test_labelled_texts_and_copies_are_left_out(learnt, made_up) -> None:
    items, labelled = rows(made_up)
    more = [*items, labelled.texts[0].upper() + " ", items[3] + "  "]
    found = suggest(more, labelled, learnt("classification"), strategy="random", count=500, quiet=True)
    assert len(items) not in {each.row for each in found} and len(items) + 1 not in {each.row for each in found}
    assert len({each.item for each in found}) == len(found) == len(set(items) - set(labelled.texts))


def test_the_least_sure_text_comes_first() -> None:
    items = ["good great", "good bad", "awful", "good great bad awful lovely"]
    model, labelled = word_model(), hotel_rows(4, seed=0)
    found = suggest(items, labelled, model, strategy="margin", count=2, quiet=True)
    assert found[0].row == 1 and found[0].score == pytest.approx(1)
    assert not set(labelled.texts) & set(model.asked)  # nobody looks at them, so nobody reads them


def test_a_batch_is_diverse_where_the_model_tells_vectors(learnt, made_up) -> None:
    items, labelled = rows(made_up)
    model = learnt("classification")

    def chosen(**given) -> list[int]:
        return [each.row for each in suggest(items, labelled, model, count=4, quiet=True, **given)]

    assert chosen() == chosen(strategy="margin", diversity="kmeans")
    assert chosen() != chosen(strategy="margin", diversity="none")


def test_a_cold_start_needs_an_encoder_alone(tiny_model: Path, made_up) -> None:
    items, _ = rows(made_up)
    found = suggest(items, None, None, count=4, encoder=str(tiny_model), quiet=True)
    assert [each.strategy for each in found] == ["cluster"] * 4
    assert {each.guess for each in found} == {None}


def test_dropout_draws_differ_and_leave_the_model_as_it_was(learnt, made_up) -> None:
    items, _ = rows(made_up)
    model = learnt("classification")
    before = model.scores(items)
    draws = dropout_draws(model, items, seed=1, passes=4, quiet=True)
    assert draws.shape == (4, len(items), 2) and np.allclose(draws.sum(axis=2), 1, atol=1e-5)
    assert np.abs(draws[0] - draws[1]).max() > 1e-3
    assert np.array_equal(draws, dropout_draws(model, items, seed=1, passes=4, quiet=True))
    assert np.array_equal(before, model.scores(items))


@pytest.mark.parametrize(
    ("task", "strategy", "why"),
    [
        ("regression", "margin", "exclusive classes"),
        ("multilabel", "entropy", "exclusive classes"),
        (None, "badge", "there is no model"),
        (None, "bald", "there is no model"),
    ],
)
def test_what_a_model_cannot_tell_is_refused_with_the_reason(task, strategy: str, why: str, learnt, made_up) -> None:
    items, labelled = rows(made_up)
    with pytest.raises(ModelError, match=why):
        suggest(items, labelled, learnt(task) if task else None, strategy=strategy, quiet=True)


def test_models_of_other_engines_have_no_dropout_and_no_vectors() -> None:
    items, labelled = ["good bad", "good"], hotel_rows(4, seed=0)
    with pytest.raises(ModelError, match="only gives answers"):
        suggest(items, labelled, word_model(), strategy="bald", quiet=True)
    with pytest.raises(ModelError, match="no vector"):
        suggest(items, labelled, word_model(), strategy="coreset", quiet=True)
    found = suggest(items, labelled, word_model(), strategy="random", quiet=True)
    assert len(found) == 2


def test_a_model_without_dropout_is_refused(tiny_model: Path, learnt, made_up) -> None:
    import torch

    model = learnt("classification")
    layers = [each for each in model.engine.model.modules() if isinstance(each, torch.nn.Dropout)]
    kept = [each.p for each in layers]
    for each in layers:
        each.p = 0.0
    try:
        with pytest.raises(ModelError, match="every pass would say the same"):
            dropout_draws(model, ["a"], seed=0, quiet=True)
    finally:
        for each, share in zip(layers, kept, strict=True):
            each.p = share


def test_impossible_wishes_are_refused(learnt, made_up) -> None:
    items, labelled = rows(made_up)
    model = learnt("classification")
    with pytest.raises(ConfigError, match="Choose one of"):
        suggest(items, labelled, model, strategy="best", quiet=True)
    with pytest.raises(ConfigError, match="1 or more"):
        suggest(items, labelled, model, count=0, quiet=True)
    with pytest.raises(ConfigError, match="adds nothing"):
        suggest(items, labelled, model, strategy="badge", diversity="kmeans", quiet=True)
    with pytest.raises(ConfigError, match="there are none"):
        suggest(items, None, model, strategy="cal", quiet=True)
    assert suggest(labelled.texts, labelled, model, quiet=True) == []
