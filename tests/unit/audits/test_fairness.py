from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audited import hotel_rows, hotel_subject, word_model
from tests.planted import subject
from tuneloop.audits.base import Outcome, Subject
from tuneloop.audits.fairness import Fairness, FairnessOptions
from tuneloop.audits.group_metrics import group_metrics
from tuneloop.audits.identity import framed, load_terms, swapped
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.data.examples import Examples
from tuneloop.tasks import create_task


def audited(of: Subject, **options: object) -> Outcome:
    return Fairness(FairnessOptions(**options)).run(of, lambda note: None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_gender_bias_is_named_with_its_terms_and_a_clean_twin_has_none(seed: int) -> None:
    outcome = audited(subject(seed, planted=True))
    found, shift = outcome.findings, outcome.figures["shift.gender"]
    assert shift.low is not None and 0.1 < shift.low < (shift.value or 0) < (shift.high or 0)
    assert [(each.kind, each.fields["dimension"]) for each in found] == [("bias", "gender")]
    worst = found[0].fields
    assert (worst["group"], worst["label"]) == ("female", "no") and worst["low"] > 0.1
    assert set(worst["terms"][:4]) & {"she", "her mother", "mother", "woman", "her"}
    assert "female" in Fairness.sentence("bias", worst)
    clean = audited(subject(seed, planted=False))
    assert not clean.findings
    assert all((each.value or 0) >= (each.low or 0) >= 0 for name, each in clean.figures.items() if "shift" in name)


def test_groups_of_a_column_are_compared_with_intervals() -> None:
    pytest.importorskip("fairlearn")
    test = hotel_rows(200, seed=3)
    random = np.random.default_rng(0)
    groups = [str(each) for each in random.choice(["north", "south"], 200)]
    labels = [
        ("no" if label == "yes" else "yes") if group == "south" and random.random() < 0.4 else label
        for label, group in zip(test.labels, groups, strict=True)
    ]
    outcome = audited(hotel_subject(test=replace(test, labels=labels, columns={"region": groups})), groups=("region",))
    gap = outcome.figures["accuracy_gap.region"]
    assert gap.low is not None and gap.low > 0.2 and 0.3 < (gap.value or 0) < 0.5
    assert {"selection_gap.region.yes", "recall_gap.region.no"} <= outcome.figures.keys()
    (found,) = outcome.findings
    assert found.fields["groups"]["north"]["accuracy"] == 1.0
    fair = audited(hotel_subject(test=replace(test, columns={"region": groups})), groups=("region",))
    assert not fair.findings


def test_groups_of_a_task_with_several_classes_are_compared_class_by_class() -> None:
    pytest.importorskip("fairlearn")

    class Several:
        name = "several"
        task: Any = create_task(TaskConfig(type="multilabel"), {"labels": ["dirt", "noise"]})

        def scores(self, inputs: Any) -> Any:
            return np.array([[0.9 * ("dirty" in text), 0.9 * ("loud" in text)] for text in inputs], np.float32)

    texts = ["dirty and loud" if row % 4 else "dirty" for row in range(80)]
    groups = ["north" if row % 2 else "south" for row in range(80)]
    labels: Any = [("dirt", "noise")] * 80
    test = Examples([str(row) for row in range(80)], texts, labels, columns={"region": groups})
    figures, findings = group_metrics(hotel_subject(Several(), test=test), "region")
    wanted = {"accuracy_gap.region": 0.5, "recall_gap.region.noise": 0.5, "recall_gap.region.dirt": 0.0}
    assert {name: figures[name].value for name in wanted} == wanted
    assert figures["selection_gap.region.noise"].value == 0.5 and len(findings) == 1


def test_terms_are_exchanged_with_their_grammar() -> None:
    terms = load_terms()
    english, chinese = (terms.dimensions["gender"][code] for code in ("en", "zh"))
    unit = swapped("She gave her book to an actress, and I thanked her.", english, ())
    assert unit and unit.versions["male"] == "He gave his book to an actor, and I thanked him."
    assert swapped("He met her.", english, ()) is None
    assert swapped("Nobody was there.", english, ()) is None
    unit = swapped("她说女儿喜欢其他菜", chinese, terms.exceptions["zh"])
    assert unit and unit.versions["male"] == "他说儿子喜欢其他菜"
    nations = terms.dimensions["nationality"]["en"]
    unit = swapped("A German cook.", nations, ())
    assert unit and unit.versions["indian"] == "An Indian cook."
    made = framed("{person} said: {text}", "all fine", english, 0, origin="frame")
    assert made.versions == {"female": "A woman said: all fine", "male": "A man said: all fine"}


def test_terms_of_your_own_are_audited_and_unequal_lists_refused(tmp_path: Path) -> None:
    path = tmp_path / "terms.yaml"
    path.write_text("team: {en: {red: {terms: [reds]}, blue: {terms: [blues]}}}", encoding="utf-8")
    model = word_model()
    model.weights["reds"] = -3.0
    outcome = audited(hotel_subject(model), terms=str(path))
    assert {(each.fields["dimension"], each.fields["group"]) for each in outcome.findings} == {("team", "red")}
    path.write_text("team: {en: {red: {terms: [a, b]}, blue: {terms: [c]}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match="equally many"):
        load_terms(path)
