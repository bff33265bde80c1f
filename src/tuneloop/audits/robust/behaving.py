"""What a model answers to tests of behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.audits.base import Figure, Finding, Outcome, Subject, share
from tuneloop.audits.robust.behaviour import BehaviourTest, TestCase, parse_tests, read_tests
from tuneloop.audits.robust.texts import beyond, sureness
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import script_of
from tuneloop.inference.changed import answered

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import Prediction

    Answers = Mapping[Input, Prediction]

EXAMPLES = 3
SCRIPTS = ("en", "zh")
ENOUGH = 0.2
"""Share of the test rows in a language from which on our own tests in it are run."""


def run_own_tests(subject: Subject, path: str, tell: Callable[[str], None]) -> Outcome:
    """Figures `tests` and `tests.NAME` of the tests in a file of the user.

    Raises:
        ConfigError: if the file or a test in it cannot be used.
    """
    if subject.task.takes_pairs or not subject.task.has_probabilities:
        raise ConfigError(
            t("Tests of behaviour are of single texts; task {task} judges something else.", task=subject.task.name),
            t("Leave audit.options.robustness.tests out."),
        )
    rows = subject.test.texts
    tests = read_tests(Path(path), labels=subject.task.labels, rows=rows, random=subject.random)
    return _run(subject, tests, "tests", "test_failed", tell)


def run_suite(subject: Subject, poles: Mapping[str, str], tell: Callable[[str], None]) -> Outcome:
    """Figures `suite` and `suite.NAME` of our own tests of sentiment, in the languages of the test rows."""
    scripts: list[str] = [script_of(text) for text in subject.test.texts]
    tests: list[BehaviourTest] = []
    for script in SCRIPTS:
        if scripts.count(script) >= ENOUGH * len(scripts):
            file = resources.files("tuneloop.audits.robust").joinpath(f"suite.{script}.yaml")
            text = file.read_text(encoding="utf-8")
            tests += parse_tests(text, file=file.name, labels=poles, rows=(), random=subject.random)
    return _run(subject, tests, "suite", "suite_failed", tell)


def _run(
    subject: Subject, tests: Sequence[BehaviourTest], figure: str, kind: str, tell: Callable[[str], None]
) -> Outcome:
    figures: dict[str, Figure] = {}
    findings, table = [], []
    total = failed = 0
    for test in tests:
        tell(test.name)
        texts = [text for case in test.cases for text in (case.before, *case.after) if text is not None]
        answers = answered(subject.model, texts)
        broken = [(case, wrong) for case in test.cases if (wrong := _wrong(test, case, answers)) is not None]
        total, failed = total + len(test.cases), failed + len(broken)
        figures[f"{figure}.{test.name}"] = share(len(broken), len(test.cases))
        broken.sort(key=lambda pair: -sureness(answers[pair[1]]))
        fields: dict[str, Any] = {"test": test.name, "kind_of_test": test.kind, "capability": test.capability}
        fields |= {"broken": len(broken), "n": len(test.cases), "share": len(broken) / len(test.cases)}
        fields |= {"limit": test.max_failures, "wanted": _wanted(test)}
        fields["examples"] = [_told(case, wrong, answers) for case, wrong in broken[:EXAMPLES]]
        table.append(fields)
        if beyond(len(broken), len(test.cases), test.max_failures, looked_at=len(tests)):
            findings.append(Finding(kind, fields))
    if tests:
        figures = {figure: share(failed, total)} | figures
    return Outcome(figures, tuple(findings), {figure: table}, (kind,) if tests else ())


def _wrong(test: BehaviourTest, case: TestCase, answers: Answers) -> str | None:
    """The text of a case whose answer is the surest of those that fail."""
    wrong = [text for text in case.after if _fails(test, case, text, answers)]
    return max(wrong, key=lambda text: sureness(answers[text])) if wrong else None


def _fails(test: BehaviourTest, case: TestCase, text: str, answers: Answers) -> bool:
    found = answers[text]
    if case.before is None:
        labels = found.label if isinstance(found.label, tuple) else (found.label,)
        return not set(labels) & set(test.allowed)
    before = answers[case.before]
    if test.direction is None:
        return found.label != before.label
    moved = found.probabilities[test.direction.label] - before.probabilities[test.direction.label]
    return (-moved if test.direction.up else moved) > test.direction.tolerance


def _wanted(test: BehaviourTest) -> dict[str, Any]:
    if test.direction is not None:
        return {"label": test.direction.label, "goes": "up" if test.direction.up else "down"}
    return {"labels": list(test.allowed)}


def _told(case: TestCase, wrong: str, answers: Answers) -> dict[str, Any]:
    before = None if case.before is None else _answer(answers[case.before])
    return {"before": case.before, "after": wrong, "answer_before": before, "answer_after": _answer(answers[wrong])}


def _answer(prediction: Prediction) -> str:
    """For example: negative 0.93."""
    label = ", ".join(map(str, prediction.label)) if isinstance(prediction.label, tuple) else str(prediction.label)
    return f"{label} {sureness(prediction):.2f}"
