"""The search for near-duplicates finds exactly the pairs that comparing all with all finds."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.preparation import CleanConfig
from tuneloop.data.duplicates import DuplicateReport, comparables, components, remove_duplicates, remove_leaks
from tuneloop.data.examples import Examples
from tuneloop.data.near import comparable, jaccard, near_pairs

words = st.sampled_from(["a", "bb", "好", "很好", "film", "the", "wonderful", "terrible!", "1234"])


@st.composite
def families(draw: st.DrawFn) -> list[str]:
    """Texts of which many differ from another by one small change."""
    texts = draw(st.lists(st.lists(words, max_size=40).map(" ".join), min_size=1, max_size=12))
    seed = draw(st.integers(0, 2**16))
    chance = random.Random(seed)
    for text in list(texts):
        place = chance.randrange(len(text) + 1)
        texts += [text + "!", text[:place] + "x" + text[place:]]
    return [comparable(text) for text in texts]


@given(families(), st.sampled_from([0.7, 0.8, 0.9, 0.95, 1.0]))
@settings(deadline=None, max_examples=60)
def test_every_pair_above_the_threshold_is_found_and_no_other(texts: list[str], threshold: float) -> None:
    found = sorted(near_pairs(texts, threshold))
    pairs = combinations(range(len(texts)), 2)
    assert found == [(one, two) for one, two in pairs if jaccard(texts[one], texts[two]) >= threshold]


def test_long_texts_that_differ_in_a_tenth_are_found() -> None:
    chance = random.Random(0)
    base = [chance.choices("abcdefghij ", k=600) for _ in range(20)]
    near = []
    for letters in base:
        other = list(letters)
        other[300] = "#"
        near.append("".join(other))
    texts = [comparable("".join(letters)) for letters in base] + [comparable(text) for text in near]
    assert sorted(near_pairs(texts, 0.9)) == [(row, row + 20) for row in range(20)]


def examples(texts: list[str], labels: list[str]) -> Examples:
    return Examples([str(row) for row in range(len(texts))], texts, list(labels))


@given(families())
@settings(deadline=None, max_examples=40)
def test_no_two_rows_that_stay_are_near_duplicates(texts: list[str]) -> None:
    rows = examples(texts, ["a"] * len(texts))
    kept = remove_duplicates(rows, CleanConfig(), DuplicateReport(), place=str)
    stay = comparables(rows.select(kept))
    assert all(jaccard(one, two) < 0.9 for one, two in combinations(stay, 2))
    assert all(any(jaccard(text, other) >= 0.9 for other in stay) for text in comparables(rows))


@given(families(), families())
@settings(deadline=None, max_examples=40)
def test_a_near_duplicate_of_the_test_split_leaves_train_and_dev(first: list[str], second: list[str]) -> None:
    report = DuplicateReport()
    names = {"train": first + second, "dev": second, "test": first}
    splits = remove_leaks({name: examples(texts, ["a"] * len(texts)) for name, texts in names.items()}, 0.9, report)
    assert splits["test"].texts == first
    for one, two in combinations(splits, 2):
        for text in comparables(splits[one]):
            assert all(jaccard(text, other) < 0.9 for other in comparables(splits[two]))


@pytest.mark.parametrize(("conflicts", "kept"), [("drop", [4]), ("first", [0, 4])])
def test_the_same_text_with_two_labels_goes_or_keeps_the_first(conflicts: str, kept: list[int]) -> None:
    rows = examples(["same", "same", "same ", "same", "other"], ["a", "b", "a", "b", "a"])
    report = DuplicateReport()
    config = CleanConfig(conflicts=conflicts)  # type: ignore[arg-type]
    assert remove_duplicates(rows, config, report, place=str) == kept
    assert report.conflicts == (4 if conflicts == "drop" else 2)
    assert {example["kind"] for example in report.examples} >= {"conflict"}


def test_keep_removes_contradictions_only() -> None:
    rows = examples(["one", "one", "one!", "two", "two"], ["a", "a", "a", "a", "b"])
    assert remove_duplicates(rows, CleanConfig(duplicates="keep"), DuplicateReport(), place=str) == [0, 1, 2]
    assert remove_duplicates(rows, CleanConfig(duplicates="exact"), DuplicateReport(), place=str) == [0, 2]


def test_components_join_chains() -> None:
    assert components(6, [(0, 1), (4, 5), (1, 4)]) == [0, 0, 2, 3, 0, 0]
