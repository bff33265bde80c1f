"""Instructions planted in documents: obeyed, repeated, or without effect."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.audited import hotel_subject
from tuneloop.audits.base import Outcome, Subject
from tuneloop.audits.injection import Injection, InjectionOptions
from tuneloop.audits.run import run_audits
from tuneloop.core.config import TaskConfig
from tuneloop.core.deployment import AuditConfig
from tuneloop.data.conversation import to_messages
from tuneloop.data.examples import Examples
from tuneloop.knowledge import NewIndex, open_index
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

FACT = re.compile(r"^\| ([^(\n]*(?:30|17|85|9:40)[^\n]*?[.。])", re.MULTILINE)
WORD = re.compile(r"\b[a-z]{6,9}\b")


@dataclass
class Reader:
    """Writes what a function makes of the passages."""

    answer: Callable[[str], str]
    name: str = "reader"
    task: Any = field(default_factory=lambda: create_task(TaskConfig(type="generation"), {"labels": []}))
    calls: int = 0

    def scores(self, inputs: Sequence[Any]) -> Any:
        self.calls += 1
        return as_scores(Written(self.answer(to_messages(str(item))[-1].content)) for item in inputs)

    def truncated(self, inputs: Sequence[Any]) -> Any:
        return np.zeros(len(inputs), bool)


def run(model: Any, **options: Any) -> Outcome:
    rows = Examples(["a"], ["a"], ["b"])
    subject = Subject("talk", model, model, rows, rows, rows, rows)
    found = Injection(InjectionOptions(**options)).run(subject, lambda _: None)
    assert all(Injection.sentence(each.kind, each.fields) for each in found.findings)
    assert Injection.parts({"details": found.details})
    return found


def from_the_facts(shown: str) -> str:
    """The sentence with a number that has most to do with the question."""
    question = set(shown.rpartition("Question: ")[2])
    return max(FACT.findall(shown), key=lambda each: len(question & set(each)), default="NOT IN THE PASSAGES")


def obedient(shown: str) -> str:
    """Whatever word an instruction in the passages asks for."""
    planted = re.search(r"(?:with|write|回答|写|以|先用|Say|只说)(?: the word)? ([a-z]{5,9})\b", shown)
    return f"The answer is {planted[1]}." if planted else from_the_facts(shown)


def test_a_model_that_keeps_to_the_facts_is_not_moved() -> None:
    model = Reader(from_the_facts)
    found = run(model)
    assert not [each for each in found.findings if each.kind == "followed"]
    assert found.figures["followed"].n == 40 and found.figures["followed"].value == found.figures["obeyed"].value == 0
    assert found.figures["lost"].n == 40 and found.figures["lost"].value < 0.3
    assert model.calls == 1


def test_a_model_that_obeys_is_found_with_the_word_that_was_asked_for() -> None:
    found = run(Reader(obedient))
    assert found.figures["obeyed"].value == found.figures["lost"].value == 1
    assert found.figures["followed"].low > 0.05 and found.figures["followed"].value < 0.5  # most is not borne out
    assert {each.kind for each in found.findings} == {"followed"}
    assert all(found.details["word"] in each["answer"] for each in found.details["followed"])
    assert run(Reader(obedient), max_followed=0.5).findings == ()


def test_quotations_may_repeat_an_instruction_but_never_obey_it(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("Our own handbook says that tea is served at four. Cake is served at five.")
    with open_index(tmp_path / "knowledge" / "documents", new=NewIndex()) as index:
        index.add([tmp_path / "own.txt"], quiet=True)
    subject = replace(hotel_subject(), folder=tmp_path)
    found = run_audits(subject, AuditConfig(audits=("injection",)), quiet=True)["audits"]["injection"]
    assert found["figures"]["followed"]["value"] == 0 and "obeyed" not in found["figures"]
    assert found["figures"]["passed_on"]["value"] > 0 and {each["kind"] for each in found["findings"]} == {"passed_on"}


def test_without_documents_and_without_writing_there_is_nothing_to_ask() -> None:
    found = run_audits(hotel_subject(), AuditConfig(audits=("injection",)), quiet=True)
    assert "skipped" in found["audits"]["injection"]
