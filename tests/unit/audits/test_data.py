from __future__ import annotations

import numpy as np
import pytest

from tests.audited import OTHER, WordModel, hotel_rows, hotel_subject
from tests.planted import TOKEN, subject
from tuneloop.audits.data import Data, DataOptions
from tuneloop.audits.words import grown, holds, inserted, place_of, without, words
from tuneloop.data.examples import Examples


def quiet(note: str) -> None:
    return None


def found(planted: bool, seed: int, **options: object) -> dict[str, list[dict]]:
    outcome = Data(DataOptions(**options)).run(subject(seed, planted=planted), quiet)
    kinds: dict[str, list[dict]] = {}
    for each in outcome.findings:
        kinds.setdefault(each.kind, []).append(each.fields)
    return kinds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_word_and_planted_copies_are_named_and_a_clean_twin_raises_no_alarm(seed: int) -> None:
    dirty = found(True, seed)
    assert [(each["word"], each["label"]) for each in dirty["shortcut"]] == [(TOKEN, "yes")]
    (leak,) = dirty["leakage"]
    assert (leak["split"], leak["seen_in"], leak["count"]) == ("test", "train", 20)
    assert {(row["id"], row["partner_id"]) for row in leak["rows"]} == {(f"r{1200 + n}", f"copy{n}") for n in range(20)}
    clean = found(False, seed)
    assert not {"shortcut", "leakage", "length"} & clean.keys()
    assert clean["label_errors"][0]["count"] > 20  # every twentieth label is wrong, and not all can be told


def test_a_word_that_is_meant_to_decide_is_no_shortcut() -> None:
    kinds = found(True, 0, meant=(TOKEN.upper(),))
    assert "shortcut" not in kinds
    assert TOKEN in {each["word"] for each in kinds["cue"]}


def test_a_word_that_gives_a_class_away_is_a_shortcut_without_other_predictive_words_too() -> None:
    random = np.random.default_rng(0)

    def rows(n: int) -> Examples:
        labels = ["yes" if row % 2 else "no" for row in range(n)]
        texts = [" ".join([*random.choice(OTHER, 8), *([TOKEN] if label == "yes" else [])]) for label in labels]
        return Examples([str(row) for row in range(n)], texts, list(labels))

    outcome = Data(DataOptions()).run(hotel_subject(WordModel({TOKEN: 4.0}), train=rows(200), test=rows(100)), quiet)
    (shortcut,) = [each.fields for each in outcome.findings if each.kind == "shortcut"]
    assert (shortcut["word"], shortcut["ordinary"]) == (TOKEN, 0.0)
    assert "other predictive words" not in Data.sentence("shortcut", shortcut)


def test_words_that_mean_the_class_are_notes_at_most() -> None:
    outcome = Data(DataOptions()).run(hotel_subject(), quiet)
    assert {each.kind for each in outcome.findings} <= {"cue", "label_errors"}
    assert outcome.figures["leakage.train_test"].value == 0
    assert {each["word"] for each in outcome.details["words"]} & {"good", "awful"}


def test_length_that_decides_is_an_alarm() -> None:
    def wordy(row: list[str], good: bool) -> list[str]:
        return row * 3 if good else row

    class ByLength:
        name, task = "length", hotel_subject().task

        def scores(self, inputs: list) -> object:
            import numpy as np

            yes = np.array([len(str(item).split()) > 15 for item in inputs], np.float32) * 0.8 + 0.1
            return np.stack([1 - yes, yes], axis=1)

    train, test = hotel_rows(200, seed=1, spoil=wordy), hotel_rows(100, seed=2, spoil=wordy)
    outcome = Data(DataOptions()).run(hotel_subject(ByLength(), train=train, test=test), quiet)
    (length,) = [each for each in outcome.findings if each.kind == "length"]
    assert (length.fields["label"], length.fields["longer"]) == ("yes", True)
    assert "yes" in Data.sentence("length", length.fields)


def test_words_are_found_put_in_and_taken_out_in_both_languages() -> None:
    assert words("Don't stop: 很好吃!!") == {"don't", "stop", ":", "很", "好", "吃", "很好", "好吃", "!!"}
    assert holds("A zorblat.", "zorblat") and not holds("zorblats", "zorblat") and holds("真的很好", "很好")
    assert without("It is zorblat here", "zorblat") == "It is here" and without("真的很好", "很好") == "真的"
    assert inserted("good food", "x", where=0.0) == "x good food"
    assert inserted("good food", "x", where=1.0) == "good food x"
    assert inserted("菜很好", "某", where=0.5) in {"菜某很好", "菜很某好"}
    assert place_of(["x a b", "x b", "x c d"], "x") == "start" and place_of(["a x b", "a x"], "x") == "anywhere"
    assert grown(["我在芝麻街头吃", "去芝麻街头", "看芝麻街头了"], "芝麻") == "芝麻街头"


def test_pairs_leak_only_as_a_whole() -> None:
    from tuneloop.audits.leakage import leaks

    one = Examples(["a", "b"], ["the same first text", "another text here"], ["x", "y"], ["one thing", "two things"])
    two = Examples(["c", "d"], ["the same first text", "another  text HERE"], ["x", "y"], ["no other", "two things"])
    shared = leaks({"train": one, "dev": one.select([]), "test": two}, 0.9)
    assert [(leak.row, leak.partner, leak.exact) for leak in shared["train", "test"]] == [(1, 1, True)]


def test_of_many_words_the_strongest_are_tried_and_the_rest_are_counted() -> None:
    every = Data(DataOptions()).run(hotel_subject(), quiet).details["words"]
    details = Data(DataOptions(all_words=3)).run(hotel_subject(), quiet).details
    assert len(details["words"]) == 3 and details["words_left_out"] == len(every) - 3 > 0
    assert {each["word"] for each in details["words"]} < {each["word"] for each in every}
