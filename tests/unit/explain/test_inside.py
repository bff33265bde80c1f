"""What explainers see that look into the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tuneloop.explain import create_explainer
from tuneloop.explain.attention_rollout import rollout
from tuneloop.inference.inside import look_inside, mask_token


def test_rollout_follows_attention_through_layers() -> None:
    first = np.array([[[0.0, 1.0], [0.0, 1.0]]])
    assert rollout(np.stack([first, first])).tolist() == [[0.25, 0.75], [0.0, 1.0]]
    assert rollout(np.stack([first, first]), pools=True).tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_the_gap_of_integrated_gradients_narrows_with_steps(learnt: Callable[..., Any]) -> None:
    def gap(**options: Any) -> Any:
        return create_explainer("integrated_gradients", options).explain(learnt("classification"), "a bad b good bad")

    rough, fine = gap(steps=4, most_steps=4), gap(steps=4, most_steps=256, gap=0.005)
    assert fine.error < rough.error and fine.asked > rough.asked == 6
    assert fine.error <= 0.005 * abs(fine.output - fine.base)


def test_gradients_are_those_of_the_embedding(learnt: Callable[..., Any]) -> None:
    import torch

    model = learnt("regression")
    inside = look_inside(model)
    assert inside is not None
    reading = inside.read("a good b")
    vectors = inside.embedding(reading.tensors["input_ids"]).detach().requires_grad_()
    others = {name: value for name, value in reading.tensors.items() if name != "input_ids"}
    inside.model(inputs_embeds=vectors, **others).logits[0, 0].backward()
    by_hand = (vectors.grad * vectors).sum(dim=-1)[0].detach()  # type: ignore[operator]
    found = create_explainer("gradient_x_input").explain(model, "a good b")
    assert found.values == pytest.approx(by_hand[1:-1].tolist(), rel=1e-3)
    assert not any(each.requires_grad for each in inside.model.parameters()) and torch.is_grad_enabled()


def test_attention_is_told_and_the_model_then_answers_as_before(learnt: Callable[..., Any]) -> None:
    model = learnt("classification")
    before = model.scores(["a good b"])
    found = create_explainer("attention_rollout").explain(model, "a good b")
    assert not found.explains and sum(found.values) == pytest.approx(1)
    assert (model.scores(["a good b"]) == before).all()


def test_absent_words_may_be_masked_where_the_model_reads_masks(learnt: Callable[..., Any]) -> None:
    model = learnt("classification")
    assert mask_token(model) == "[MASK]"
    found = create_explainer("occlusion", {"absent": "mask"}).explain(model, "a good, b", label="yes")
    assert found.absent == "[MASK]" and found.asked == 5
    assert found.values[1] == pytest.approx(found.output - model.scores(["a [MASK] b"])[0, 1], abs=1e-6)


def test_a_model_that_remembers_can_be_looked_into(learnt: Callable[..., Any]) -> None:
    from tuneloop.audits.answers import Remembering

    remembering = Remembering(learnt("classification"))
    shapley = create_explainer("shapley")
    first = shapley.explain(remembering, "a good b")
    computed = remembering.computed
    assert shapley.explain(remembering, "a good b").values == first.values and remembering.computed == computed
    assert create_explainer("integrated_gradients").explain(remembering, "a good b").error is not None
