from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tuneloop.core.errors import ConfigError
from tuneloop.labelling.agreement import agreement
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.store import Answer, Item
from tuneloop.labelling.votes import adjudicate, disagreements, majority, split

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve units
WORKED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def answers(table: list[list[Any]]) -> tuple[list[Answer], dict[str, Item]]:
    """One row per person, one column per text."""
    items = {f"t{n}": Item(f"t{n}", "first other") for n in range(len(table[0]))}
    found = [
        Answer(0, f"t{n}", f"p{who}", label, False, 0.0)
        for who, row in enumerate(table)
        for n, label in enumerate(row)
        if label is not None
    ]
    return found, items


def span(start: int, end: int, label: str = "a") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


@pytest.mark.parametrize(("kind", "expected"), [("class", 0.743), ("number", 0.849)])
def test_alpha_is_that_of_the_published_example(kind: Kind, expected: float) -> None:
    table = WORKED if kind == "number" else [[None if x is None else f"c{x}" for x in row] for row in WORKED]
    given, items = answers(
        [[None if x is None else float(x) for x in row] for row in table] if kind == "number" else table
    )
    found = agreement(kind, given, items, [f"c{n}" for n in range(1, 6)])
    assert found["alpha"] == pytest.approx(expected, abs=5e-4)
    krippendorff = pytest.importorskip("krippendorff")
    table = [[np.nan if x is None else x for x in row] for row in WORKED]
    assert found["alpha"] == pytest.approx(krippendorff.alpha(table, level_of_measurement=found["level"]), abs=1e-12)
    assert found["items"] == 11 and found["low"] < found["alpha"] < found["high"] <= 1


def test_the_interval_of_alpha_holds_what_more_texts_say() -> None:
    """Of 60 texts out of 3000 the interval should hold the alpha of all in about 95 of 100 draws."""
    random = np.random.default_rng(3)
    truth = random.integers(0, 3, 3000)
    table = [[f"c{x if random.random() < 0.8 else random.integers(0, 3)}" for x in truth] for _ in range(2)]

    def of(rows: Any) -> dict[str, Any]:
        given, items = answers([[row[n] for n in rows] for row in table])
        return agreement("class", given, items, ["c0", "c1", "c2"])

    whole = of(range(3000))["alpha"]
    drawn = [of(random.choice(3000, 60, replace=False)) for _ in range(20)]
    assert sum(each["low"] <= whole <= each["high"] for each in drawn) >= 17


def test_stretches_are_compared_word_by_word_and_classes_one_by_one() -> None:
    given, items = answers([[[span(0, 5)], []], [[span(0, 5)], [span(0, 5)]], [[span(0, 11)], []]])
    found = agreement("spans", given, items, ["a"])
    assert 0 < found["alpha"] < 1
    people = {each["annotator"]: each for each in found["annotators"]}
    assert people["p0"]["same"] == 1 and people["p0"]["judged"] == 2  # the other words have no majority
    assert {"others": "O", "said": "a", "count": 1} in people["p2"]["confusion"]
    given, items = answers([[["x"], ["x", "y"]], [["x"], ["y"]], [["x"], ["y"]]])
    found = agreement("classes", given, items, ["x", "y"])
    assert [each["same"] for each in found["annotators"]] == [0.75, 1.0, 1.0]


def test_a_person_is_compared_with_the_others_not_with_a_majority_that_they_are_part_of() -> None:
    given, items = answers([["a", "b", "a"], ["a", "a", "a"], ["b", "a", None]])
    found = agreement("class", given, items, ["a", "b"])
    pairs = {tuple(each["annotators"]): (each["items"], round(each["same"], 3)) for each in found["pairs"]}
    assert pairs == {("p0", "p1"): (3, 0.667), ("p0", "p2"): (2, 0.0), ("p1", "p2"): (2, 0.5)}
    people = {each["annotator"]: each for each in found["annotators"]}
    assert people["p0"]["judged"] == 2 and people["p0"]["same"] == 0.5  # t0 has no majority without p0


def test_where_all_say_the_same_agreement_cannot_be_told() -> None:
    given, items = answers([["a", "a"], ["a", "a"]])
    assert agreement("class", given, items, ["a", "b"])["alpha"] is None


def test_the_majority_is_taken_and_ties_are_left_to_people() -> None:
    assert majority("class", ["a", "b", "a"])[:2] == ("a", pytest.approx(2 / 3))
    assert majority("class", ["a", "b"]).label is None
    assert majority("classes", [["x", "y"], ["x"], []])[:2] == (["x"], pytest.approx(2 / 3))
    assert majority("classes", [["x"], ["y"], ["z"]]).label == []
    assert majority("classes", [["x"], []]).label is None
    assert majority("number", [1.0, 2.0, 9.0]).label == 2.0
    assert majority("spans", [[span(0, 2)], [span(0, 2), span(3, 4)], [span(0, 3)]]).label == [span(0, 2)]


def test_the_most_split_texts_come_first() -> None:
    given, _ = answers([["a", "a", "a", "a"], ["a", "b", "a", "b"], ["a", "c", "b", None]])
    assert disagreements(given) == ["t1", "t3", "t2"]
    assert split([each for each in given if each.item == "t1"]) == 1.0


def test_dawid_skene_trusts_the_careful_and_beats_the_majority() -> None:
    pytest.importorskip("crowdkit")
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 120)
    skills = [0.98, 0.97, 0.6, 0.6, 0.6]
    table = [[f"c{x if random.random() < skill else 1 - x}" for x in truth] for skill in skills]
    given, _ = answers(table)

    def right(by: str) -> float:
        taken = adjudicate("class", given, by=by)
        return float(np.mean([taken[f"t{n}"].label == f"c{x}" for n, x in enumerate(truth)]))

    assert right("dawid-skene") > right("majority") + 0.02
    taken = adjudicate("class", given, by="dawid-skene")
    assert all(0.5 <= each.probability <= 1 and not math.isnan(each.probability) for each in taken.values())
    with pytest.raises(ConfigError, match="one class"):
        adjudicate("number", given, by="dawid-skene")


def test_two_people_who_never_agree_are_a_tie_for_dawid_skene_too() -> None:
    pytest.importorskip("crowdkit")
    given, _ = answers([["a", "b"], ["b", "a"]])
    assert [each.label for each in adjudicate("class", given, by="dawid-skene").values()] == [None, None]
