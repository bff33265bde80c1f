"""Tags become stretches and back, exactly as seqeval counts them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.audits.forgetting import _known
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.clean import clean_inputs, moved, place_back
from tuneloop.data.examples import Examples, Span
from tuneloop.data.tags import joined, spans_of_tags
from tuneloop.data.tokens import Tokens
from tuneloop.data.units import units
from tuneloop.methods.lexicon import Lexicon
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.tagging import Tagging, likeliest

TAGS = ["O", "B-a", "I-a", "B-b", "I-b"]
sequences = st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=6)


def places(count: int) -> list[tuple[int, int]]:
    return [(2 * number, 2 * number + 1) for number in range(count)]


@settings(deadline=None, max_examples=150)
@given(sequences, st.randoms(use_true_random=False))
def test_the_figures_are_those_of_seqeval(truth: list[list[str]], random: object) -> None:
    from seqeval.metrics import f1_score

    given_tags = [[random.choice(TAGS) for _ in tags] for tags in truth]
    task = create_task(TaskConfig(type="tagging"), {"labels": ["a", "b"]})
    labels, answers = ([tuple(spans_of_tags(tags, places(len(tags)))) for tags in side] for side in (truth, given_tags))
    found = task.metrics(labels, as_scores(tuple((span, 1.0) for span in answer) for answer in answers))
    assert found["micro_f1"] == pytest.approx(f1_score(truth, given_tags, average="micro", zero_division=0))
    if {span.label for label in labels for span in label} == {"a", "b"}:
        assert found["macro_f1"] == pytest.approx(f1_score(truth, given_tags, average="macro", zero_division=0))
        assert found["weighted_f1"] == pytest.approx(f1_score(truth, given_tags, average="weighted", zero_division=0))


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B-x", "I-x", "O", "B-x"], [(0, 3), (6, 7)]),  # IOB2
        (["I-x", "I-x", "O", "I-x"], [(0, 3), (6, 7)]),  # IOB1
        (["I-x", "B-x", "I-x", "O"], [(0, 1), (2, 5)]),
        (["B-x", "E-x", "S-x", "O"], [(0, 3), (4, 5)]),  # BIOES
        (["B-x", "L-x", "U-x", "O"], [(0, 3), (4, 5)]),  # BILOU
        (["B-x", "M-x", "E-x", "S-x"], [(0, 5), (6, 7)]),  # BMES
        (["x", "x", "O", "x"], [(0, 1), (2, 3), (6, 7)]),  # parts of speech
    ],
)
def test_every_form_of_tags_is_understood(tags: list[str], spans: list[tuple[int, int]]) -> None:
    assert spans_of_tags(tags, places(4)) == [Span(start, end, "x") for start, end in spans]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["B", "I", "O", "B"], [Span(0, 3, "entity"), Span(6, 7, "entity")]),
        (["B", "E", "S", "O"], [Span(0, 3, "entity"), Span(4, 5, "entity")]),
        (["B_x", "I_x", "O", "B_x"], [Span(0, 3, "x"), Span(6, 7, "x")]),
    ],
)
def test_marks_without_names_and_with_underscores_are_understood(tags: list[str], spans: list[Span]) -> None:
    assert spans_of_tags(tags, places(4)) == spans


def test_tags_that_are_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="write their names"):
        Tagging.parse_row(["Ada", "ran"], None, [1, 0])


def test_words_in_the_cell_of_a_table_are_words_with_and_without_tags() -> None:
    words = '["Ada", "ran"]'
    assert Tagging.parse_row(words, None, '["B-x", "O"]') == ("Ada ran", None, (Span(0, 3, "x"),))
    assert Tagging.parse_input(words, None) == Tagging.parse_input(["Ada", "ran"], None) == ("Ada ran", None)
    assert Tagging.parse_row(["Ada", 3], None, ["B-x", "O"])[0] == "Ada 3"
    assert Tagging.parse_input("[1] Ada", None) == ("[1] Ada", None)


def test_blanks_at_the_edge_of_a_stretch_are_no_part_of_it() -> None:
    row = Tagging.parse_row("Ada in Rome", None, [{"start": 0, "end": 4, "label": "x"}])
    assert row[2] == (Span(0, 3, "x"),)


def test_a_token_of_several_units_stands_for_each_of_them() -> None:
    """As tokens of SentencePiece do in Chinese: one for a whole name."""
    text, label = "去北京了", (Span(1, 3, "x"),)
    task = create_task(TaskConfig(type="tagging"), {"labels": ["x"]})
    ends = np.array([[0, 0], [0, 1], [1, 3], [3, 4], [4, 4]])
    tokens = Tokens(
        np.zeros(5, np.int32), np.array([0, 5]), None, np.zeros(1, bool), owners=np.zeros(1, np.int64), places=ends
    )
    targets = task.aligned([label], tokens, [text])
    assert targets[0, :5].tolist() == [-100, 0, 1, 0, -100]
    logits = np.full((1, 5, 3), -9.0, np.float32)
    for place, tag in ((1, 0), (2, 1), (3, 0)):
        logits[0, place, tag] = 9.0
    assert task.decide(task.answers(logits, tokens, [text])) == [label]


def test_a_name_with_a_dash_is_one_name() -> None:
    assert spans_of_tags(["B-a-b", "I-a-b", "x-ray"], places(3)) == [Span(0, 3, "a-b"), Span(4, 5, "x-ray")]


def test_words_are_joined_as_their_language_does() -> None:
    assert joined(["The", "U.N.", "met", "."])[0] == "The U.N. met ."
    text, where = joined(["我", "爱", "北京", "iPhone", "15"])
    assert text == "我爱北京iPhone 15"
    assert [text[start:end] for start, end in where] == ["我", "爱", "北京", "iPhone", "15"]


def test_units_are_words_numbers_characters_and_signs() -> None:
    text = "Zoë's 3kg, 在北京2024年!"
    assert [text[start:end] for start, end in units(text)] == [
        "Zoë", "'", "s", "3", "kg", ",", "在", "北", "京", "2024", "年", "!",
    ]  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_the_likeliest_sequence_is_the_best_of_all_that_are_possible(length: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(length, 5))
    possible = [
        path for path in product(range(5), repeat=length)
        if all(tag in (0, 1, 3) or before in (tag - 1, tag) for before, tag in zip((0, *path), path, strict=False))
    ]  # fmt: skip
    best = max(possible, key=lambda path: sum(logits[place, tag] for place, tag in enumerate(path)))
    assert likeliest(logits).tolist() == list(best)


def test_a_long_text_is_read_to_its_end_and_each_word_judged_once(tiny_model: Path) -> None:
    task = create_task(TaskConfig(type="tagging", stride=2), {"labels": ["x"]})
    text = " ".join("abcdefghijklmno" * 4)
    label = (Span(0, 3, "x"), Span(58, 63, "x"), Span(118, 119, "x"))
    tokens = task.tokenizer(tiny_model, 12).encode([text, "a b"])
    assert len(tokens) > 6 and not tokens.truncated.any()
    targets = task.aligned([label, ()], tokens, [text, "a b"])
    logits = 8.0 * np.eye(3, dtype=np.float32)[np.maximum(targets, 0)]
    found = task.answers(logits, tokens, [text, "a b"])
    assert task.decide(found) == [label, ()]
    assert all(sure > 0.99 for _, sure in found[0])


def test_subwords_are_judged_by_their_first(tiny_model: Path) -> None:
    task = create_task(TaskConfig(type="tagging"), {"labels": ["x"]})
    inputs = ["good-bad c"]  # three units, the first two without a space between
    tokens = task.tokenizer(tiny_model, 12).encode(inputs)
    targets = task.aligned([(Span(5, 8, "x"),)], tokens, inputs)[0]
    assert (targets >= 0).sum() == len(units(inputs[0]))


def test_labels_follow_a_text_that_is_mended_and_answers_go_back() -> None:
    given_text = "cafe\u0301 du Mus\u00c3\u00a9e \x07in Lyon"
    config = CleanConfig()
    (cleaned,) = clean_inputs([given_text], config)
    place = given_text.index("Lyon")
    span = Span(place, place + 4, "town")
    there = moved(span, given_text, cleaned, config)
    assert cleaned[there.start : there.end] == "Lyon" and there.start != span.start
    assert place_back(there, given_text, config) == span


def test_the_lexicon_takes_the_longest_and_leaves_the_doubtful_alone() -> None:
    texts = ["New York is big", "York is old", "to York", "May may come", "may it be", "may be"]
    labels = [(Span(0, 8, "town"),), (Span(0, 4, "town"),), (Span(3, 7, "town"),), (Span(0, 3, "name"),), (), ()]
    task = create_task(TaskConfig(type="tagging"), {"labels": ["name", "town"]})
    model = Lexicon().fit(Examples(list("abcdef"), texts, labels), task, seed=0)
    found = task.decide(model.scores(["in New York", "in York", "May I", "in new york"]))
    assert found == [(Span(3, 11, "town"),), (Span(3, 7, "town"),), (Span(0, 3, "name"),), ()]


def test_a_stretch_that_overlaps_another_is_refused() -> None:
    raw = [{"start": 0, "end": 3, "label": "x"}, {"start": 2, "end": 5, "label": "y"}]
    with pytest.raises(ValueError, match="overlap"):
        Tagging.parse_row("a b c d", None, raw)
    assert Tagging.parse_row("a b c", None, '[{"start": 2, "end": 3, "label": "x"}]')[2] == (Span(2, 3, "x"),)


def test_mistakes_are_told_with_the_words_that_they_are_about() -> None:
    from tuneloop.evaluation.names import answer_text

    task = create_task(TaskConfig(type="tagging"), {"labels": ["person"]})
    told = task.told((Span(5, 7, "person"),), "新华社记者孙新")
    assert told == [{"start": 5, "end": 7, "label": "person", "text": "孙新"}]
    assert answer_text(told) == "孙新 (person, 5–7)"


def test_a_class_that_was_not_learnt_is_named() -> None:
    task = create_task(TaskConfig(type="tagging"), {"labels": ["a"]})
    right, unknown = (Span(0, 1, "a"),), (Span(0, 1, "b"),)
    with pytest.raises(DataError, match="'b' is not one the model has learnt"):
        task.metrics([right, unknown], as_scores(((span, 1.0),) for span in (*right, *right)))
    assert _known(task, right) and not _known(task, unknown)
