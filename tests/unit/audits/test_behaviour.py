from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audited import hotel_subject, word_model
from tuneloop.audits.base import Outcome
from tuneloop.audits.robust.behaving import run_own_tests
from tuneloop.audits.robust.behaviour import parse_tests
from tuneloop.core.errors import ConfigError

OWN = """
slots:
  thing: [room, staff, bed]
  good: [good, great, fine]
  guest: [Anna, Tom, rude]
tests:
  - name: praise
    type: MFT
    templates: ["The {thing} was {good}", "A {good} {thing}"]
    expect: yes
  - name: not blame
    type: MFT
    texts: [the bed was broken, the staff was friendly]
    expect_not: no
    max_failures: 0
  - name: guests
    type: INV
    templates: ["{guest} had a {good} {thing}"]
    vary: guest
  - name: small letters
    type: INV
    rows: test
    samples: 30
    perturb: [upper_case, end_mark]
  - name: praise helps
    type: DIR
    templates: ["the {thing} was near the town"]
    append: [it was lovely, it was warm]
    expect: {label: yes, goes: up, tolerance: 0}
  - name: colder is worse
    type: DIR
    texts: [a warm bed]
    replace: {warm: [cold, slow]}
    expect: {label: no, goes: down}
"""


def random(purpose: str) -> np.random.Generator:
    return np.random.default_rng([*purpose.encode()])


def parsed(text: str) -> Any:
    return parse_tests(text, file="own.yaml", labels={"no": "no", "yes": "yes"}, rows=["a row"], random=random)


def test_each_kind_fails_where_the_model_does_what_it_must_not(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    found: Outcome = run_own_tests(hotel_subject(), str(path), lambda note: None)
    shares = {name.removeprefix("tests."): figure.value for name, figure in found.figures.items()}
    assert shares["praise"] == 0
    assert shares["not blame"] == 0.5
    assert shares["guests"] == 1  # "rude" is no name to this model
    assert shares["praise helps"] == 0
    assert shares["colder is worse"] == 1  # the probability of "no" rises, and ought to fall
    cases = {name: figure.n for name, figure in found.figures.items()}
    assert (cases["tests.praise"], cases["tests.guests"], cases["tests.small letters"]) == (18, 9, 30)
    assert found.figures["tests"].n == sum(cases.values()) - cases["tests"]
    assert {each.fields["test"] for each in found.findings} == {"not blame", "guests"}  # of one case nothing is known
    guests = next(each for each in found.findings if each.fields["test"] == "guests")
    assert guests.fields["examples"][0]["after"].startswith("rude had a ")


def test_a_template_with_many_fillings_gives_as_many_texts_as_asked_for_and_the_same_ones_again() -> None:
    text = (
        "slots: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9], b: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n"
        'tests: [{name: many, type: MFT, templates: ["{a} {b} {a}"], expect: yes, samples: 20}]'
    )
    first, second = (parsed(text)[0].cases for _ in range(2))
    assert first == second
    assert len({case.after for case in first}) == 20
    assert all(case.after[0].split()[0] == case.after[0].split()[2] for case in first)


@pytest.mark.parametrize(
    ("test", "line", "problem"),
    [
        ("{name: a, type: MFT, texts: [b], expect: maybe}", 2, "no label maybe"),
        ("{name: a, type: MFT, texts: [b]}", 2, "expect, expect_not"),
        ("{name: a, type: XXX, texts: [b], expect: yes}", 2, "no type XXX"),
        ('{name: a, type: MFT,\n   templates: ["{who}"], expect: yes}', 3, "no slot called who"),
        ("{name: a, type: MFT, texts: [b], expect: yes, append: [c]}", 2, "MFT changes nothing"),
        ("{name: a, type: INV, texts: [b]}", 2, "vary, perturb, append, prepend, replace"),
        ("{name: a, type: INV, texts: [b], perturb: [typoes]}", 2, "Did you mean typos"),
        ("{name: a, type: INV, texts: [b], append: [c], expect: yes}", 2, "answer stays"),
        ("{name: a, type: INV, texts: [b], vary: c}", 2, "vary needs templates"),
        ("{name: a, type: DIR, texts: [b], append: [c], expect: {label: yes}}", 2, "which probability goes where"),
        ("{name: a, type: MFT, texts: [b], expect: yes, max_failures: 1}", 2, "from 0 to below 1"),
        ("{name: a, type: INV, texts: [b], replace: {c: d}}", 2, "nothing was changed"),
        ("{name: a, typ: INV}", 2, "nothing called typ"),
        ("{type: INV}", 2, "no name"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(test: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(f"tests:\n - {test}")
    assert caught.value.problem.startswith(f"own.yaml, line {line}: ")
    assert problem in f"{caught.value.problem} {caught.value.hint}"


def test_a_file_that_is_not_there_and_two_tests_of_one_name_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        run_own_tests(hotel_subject(word_model()), str(tmp_path / "none.yaml"), lambda note: None)
    one = "{name: a, type: MFT, texts: [b], expect: yes}"
    with pytest.raises(ConfigError, match="two tests called a"):
        parsed(f"tests: [{one}, {one}]")
    with pytest.raises(ConfigError, match="no tests"):
        parsed("slots: {}")
