from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.audited import hotel_rows, hotel_subject, word_model
from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import share
from tuneloop.audits.gate import failed, sentence, verdict
from tuneloop.audits.run import create_audits, run_audits
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.errors import ConfigError


def figure(value: float | None, low: float | None = None, high: float | None = None, better: str = "lower") -> dict:
    return {"value": value, "low": low, "high": high, "n": 10, "better": better}


def test_answers_are_computed_once_and_survive_the_process(tmp_path: Path) -> None:
    model, texts = word_model(), hotel_rows(30, seed=1).inputs
    first = Remembering(model, tmp_path / "answers.sqlite")
    before = first.scores([*texts, *texts])
    assert len(model.asked) == 30
    first.close()
    again = Remembering(model, tmp_path / "answers.sqlite")
    assert (again.scores([*texts, *texts]) == before).all()
    assert len(model.asked) == 30
    assert again.predict(texts) == model.predict(texts)


def test_a_figure_beyond_its_limit_fails_and_one_that_was_not_measured_too() -> None:
    audits = {
        "cost": {"figures": {"memory_mb": figure(5, 4, 6), "texts_per_s": figure(5, better="higher")}, "findings": []}
    }
    limits = {"cost.memory_mb": 4.5, "cost.texts_per_s": 4.0, "cost.size_mb": 1.0}
    found = verdict(AuditConfig(limits=limits), audits)
    assert [(rule["passed"], rule["sure"]) for rule in found["rules"]] == [(False, False), (True, True), (False, False)]
    assert not found["passed"]
    assert "more rows would tell" in sentence(found["rules"][0])
    assert len(failed({"gate": found})) == 2


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (AuditConfig(limits={"cost.memory": 1.0}), "cost.memory_mb"),
        (AuditConfig(limits={"cots.memory_mb": 1.0}), "cost.memory_mb"),
        (AuditConfig(limits={"robustness.failures.nosuch": 0.1}), "robustness.failures.nosuch"),
        (AuditConfig(forbid=("leek",)), "audit.forbid"),
        (AuditConfig(audits=("costs",)), "Did you mean cost"),
        (AuditConfig(options={"cost": {"watt": 3}}), "Did you mean watts"),
        (AuditConfig(options={"robustness": {"certify_votes": 1}}), "at least 2"),
        (AuditConfig(audits=("cost", "fairness"), options={"fairness": {"groups": ["gender"]}}), "no column 'gender'"),
    ],
)
def test_what_no_audit_measures_is_refused_before_anything_is_asked(config: AuditConfig, problem: str) -> None:
    subject = hotel_subject()
    with pytest.raises(ConfigError) as caught:
        run_audits(subject, config, quiet=True)
    assert problem in f"{caught.value.problem} {caught.value.hint}"
    assert not subject.bare.asked


def test_a_forbidden_finding_that_was_not_looked_for_does_not_pass() -> None:
    config = AuditConfig(audits=("privacy", "data"), forbid=("canary", "membership", "leakage"))
    gate = run_audits(hotel_subject(test=hotel_rows(20, seed=3)), config, quiet=True)["gate"]
    assert [(rule["kind"], rule["count"], rule["passed"]) for rule in gate["rules"]] == [
        ("canary", None, False), ("membership", None, False), ("leakage", 0, True),
    ]  # fmt: skip


def test_a_share_has_the_interval_of_wilson() -> None:
    found = share(3, 10)
    assert (found.value, round(found.low, 4), round(found.high, 4), found.n) == (0.3, 0.1078, 0.6032, 10)
    assert share(0, 0).value is None


def test_without_test_rows_audits_refuse_or_say_what_they_can() -> None:
    none = hotel_rows(0, seed=1)
    subject = replace(hotel_subject(), test=none, whole_test=none)
    found = run_audits(subject, AuditConfig(options={"explanations": {"rows": 5}}), quiet=True)["audits"]
    assert "there are no test rows." in found["ood"]["skipped"]
    assert "there are no test rows." in found["conformal"]["skipped"]
    json.dumps(found, allow_nan=False)


def test_figures_of_perturbations_words_and_tests_have_names_of_their_own() -> None:
    limits = {"robustness.failures.typos": 0.2, "robustness.certified.2": 0.5, "robustness.suite.plain": 0.1}
    assert create_audits(AuditConfig(audits=("robustness",), limits=limits))
