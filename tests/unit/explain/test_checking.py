"""Explainers that are right are told from those that guess, and from those that mislead."""

from __future__ import annotations

import numpy as np
import pytest

from tests.audited import hotel_rows, word_model
from tuneloop.explain import create_explainer
from tuneloop.explain.agreement import rank_correlation, top_overlap
from tuneloop.explain.base import Explanation, Question
from tuneloop.explain.checking import agreement, look, versus_random
from tuneloop.explain.faithfulness import faithfulness
from tuneloop.explain.game import Game
from tuneloop.explain.occlusion import Occlusion
from tuneloop.explain.target import Target
from tuneloop.explain.units import units_of
from tuneloop.tasks.base import ModelHandle


class Misleading(Occlusion):
    """Names the words that matter least."""

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        found = super().attribute(model, question, seed=seed)
        return self.explanation(
            question, [-value for value in found.values], base=found.base, output=found.output, error=None,
            error_kind="unknown", asked=found.asked, absent=found.absent,
        )  # fmt: skip


def test_measures_are_read_off_the_curves() -> None:
    model, text = word_model(), "a good c d"
    game = Game(model, Question(text, units_of(text), Target("yes", 1, "probability"), False))
    right, wrong = faithfulness(game, [[0, 1, 0, 0], [3, 0, 2, 1]])
    gain = 1 / (1 + np.exp(-2)) - 0.5
    assert right == pytest.approx(
        {"comprehensiveness": gain, "sufficiency": 0, "deletion": 0.5 + gain / 8, "insertion": 0.5 + gain * 7 / 8}
    )
    assert wrong["comprehensiveness"] == pytest.approx(0, abs=1e-6) and wrong["sufficiency"] == pytest.approx(gain)
    assert wrong["deletion"] > right["deletion"] and wrong["insertion"] < right["insertion"]


def test_good_explainers_beat_random_ones_and_misleading_ones_lose() -> None:
    model = word_model()
    explainers = {
        "occlusion": (create_explainer("occlusion"), model),
        "misleading": (Misleading(Occlusion.Options()), model),
        "random": (create_explainer("random"), model),
    }
    guess = {"guess": explainers.pop("random")}
    rows = [
        look(explainers | guess, model, item, seed=number, row=number)
        for number, item in enumerate(hotel_rows(25, seed=4).inputs)
    ]
    found = [row for row in rows if row is not None]
    assert len(found) == 25
    right, wrong, chance = (
        versus_random(found, name, "comprehensiveness", seed=1) for name in ("occlusion", "misleading", "guess")
    )
    assert right.low > 0 and right.p < 0.001 and right.gain == pytest.approx(right.value - right.random)
    assert wrong.high < 0 and wrong.p < 0.001
    assert chance.p > 0.05
    told = agreement(found, ["occlusion", "misleading"])[("occlusion", "misleading")]
    assert told["correlation"].mean() < -0.5 and told["overlap"].mean() < 0.5


def test_a_text_of_few_words_tells_nothing() -> None:
    model = word_model()
    assert look({"occlusion": (create_explainer("occlusion"), model)}, model, "a good b", seed=0, row=0) is None


def test_random_orders_differ_from_row_to_row() -> None:
    model, text = word_model(), hotel_rows(1, seed=4).inputs[0]
    occlusion = {"occlusion": (create_explainer("occlusion"), model)}
    first, again, other = (look(occlusion, model, text, seed=0, row=row) for row in (0, 0, 1))
    assert first is not None and again is not None and other is not None
    assert first.measures["random"] == again.measures["random"] != other.measures["random"]
    assert first.measures["occlusion"] == other.measures["occlusion"]


def test_agreement() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert top_overlap(range(10), range(10)) == 1 and top_overlap(range(10), range(10, 0, -1)) == 0
