"""What every explainer promises: one number for each unit, plain JSON, equal runs, honest sums, reasons to refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.audited import word_model
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import use_language
from tuneloop.explain import EXPLAINERS, create_explainer
from tuneloop.explain.base import EXPLAINED, from_json
from tuneloop.tasks import create_task

TEXT = "a b good good c d e"
NAMES = EXPLAINERS.names()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", EXPLAINED)
def test_every_explainer_explains_every_task_that_answers_a_text(
    name: str, task: str, learnt: Callable[..., Any]
) -> None:
    model, item = learnt(task), (TEXT, "a b") if task.startswith("pair") else TEXT
    found = create_explainer(name).explain(model, item, seed=3)
    assert found == create_explainer(name).explain(model, item, seed=3)
    plain = found.to_json()
    assert from_json(json.loads(json.dumps(plain, allow_nan=False))) == found
    texts = {"text": found.text, "pair": found.pair}
    assert all(texts[unit.part][unit.start : unit.end] == unit.text for unit in found.units)
    assert len(found.values) == len(found.units) == (9 if task.startswith("pair") else 7)
    scores = model.scores([item])[0]
    column = model.task.labels.index(found.label) if found.label else 0
    assert found.output == pytest.approx(float(scores[column]), rel=1e-4)
    if found.error_kind in ("exact", "standard_error"):
        assert sum(found.values) == pytest.approx(found.output - found.base, abs=1e-4 * max(1, abs(found.output)))
    if found.error_kind == "gap":
        assert abs(sum(found.values) - (found.output - found.base)) == pytest.approx(found.error, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("random", "attention_rollout")])
def test_what_the_model_goes_by_gets_most(name: str, learnt: Callable[..., Any]) -> None:
    found = create_explainer(name).explain(learnt("classification"), "a b good c d", label="yes")
    best = max(range(5), key=lambda number: found.values[number])
    assert found.units[best].text == "good"


@pytest.mark.parametrize("name", NAMES)
def test_what_looks_inside_refuses_other_engines_and_all_refuse_other_tasks(
    name: str, learnt: Callable[..., Any]
) -> None:
    explainer, tagger = create_explainer(name), word_model()
    tagger.task = create_task(TaskConfig(type="tagging"), {"labels": ["x"]})
    assert bool(explainer.refuses(word_model())) == explainer.inside
    with pytest.raises(ModelError, match="task tagging"):
        explainer.explain(tagger, TEXT)


@pytest.mark.parametrize("name", NAMES)
def test_every_explainer_is_described_in_both_languages(name: str) -> None:
    from tuneloop.explain.show import summary

    english = summary(name)
    use_language("zh")
    try:
        chinese = summary(name)
    finally:
        use_language(None)
    assert english.endswith((".", "?")) and chinese != english
