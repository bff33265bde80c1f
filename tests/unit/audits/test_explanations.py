"""The audit of explanations: quiet on a model whose words are found, loud on explanations that mislead."""

from __future__ import annotations

import pytest

from tests.audited import hotel_rows, hotel_subject
from tests.unit.explain.test_checking import Misleading
from tuneloop.audits.explanations import Explanations, ExplanationsOptions
from tuneloop.audits.run import outcome_json


def audit(**options: object) -> tuple[Explanations, dict[str, object]]:
    each = Explanations(ExplanationsOptions(**options))  # type: ignore[arg-type]
    return each, outcome_json(each, each.run(hotel_subject(), lambda _: None))


def test_a_clean_model_raises_no_alarm_and_figures_stand_beside_chance() -> None:
    _, found = audit(rows=15)
    assert found["findings"] == []
    figures, details = found["figures"], found["details"]
    assert figures["comprehensiveness.shapley"]["low"] > figures["comprehensiveness.random"]["high"]
    assert figures["sufficiency.occlusion"]["value"] < figures["sufficiency.random"]["value"]
    assert figures["overlap.shapley-occlusion"]["value"] > 0.8
    assert figures["correlation.shapley-occlusion"]["low"] > 0.5  # words that change nothing have no order
    assert set(details["left_out"]) == {"integrated_gradients", "gradient_x_input", "attention_rollout"}
    assert 0 < details["asked"] < 20_000


def test_explanations_that_mislead_raise_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneloop.explain.occlusion.Occlusion", Misleading)
    each, found = audit(rows=15, methods=("occlusion",))
    assert {(one["kind"], one["method"]) for one in found["findings"]} == {("misleading", "occlusion")}
    first = found["findings"][0]
    assert first["severity"] == "alarm" and first["p"] < 0.05
    assert "occlusion" in each.sentence("misleading", first)


def test_a_model_that_hears_no_word_leaves_explainers_unproven() -> None:
    subject = hotel_subject(test=hotel_rows(40, seed=3))
    subject.model.model.weights.clear()
    each = Explanations(ExplanationsOptions(rows=10))
    found = each.run(subject, lambda _: None)
    assert [(one.kind, one.fields["method"]) for one in found.findings] == [
        ("unproven", "shapley"),
        ("unproven", "occlusion"),
    ]
