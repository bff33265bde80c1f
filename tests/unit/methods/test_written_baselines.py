"""Baselines of tasks that write: the commonest answer, and that of the most similar prompt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tuneloop.data.examples import Examples
from tuneloop.methods import BASELINES
from tuneloop.methods import nearest as nearest_file
from tuneloop.methods.base import BaselineModel
from tuneloop.tasks.written import Written

WRITES: Any = SimpleNamespace(problem_type="generation", generates=True, spans_in="", layout="whole")

PROMPTS = ["How warm is the sea?", "How deep is the lake?", "Who built the tower?", "Who paid for the tower?"]
ANSWERS = ["20 degrees.", "40 metres.", "Nobody knows.", "Nobody knows."]


def fit(name: str, prompts: list[str], answers: list[str]) -> BaselineModel:
    ids = [str(row) for row in range(len(prompts))]
    return BASELINES.get(name)().fit(Examples(ids, prompts, list(answers)), WRITES, seed=0)


def test_the_commonest_answer_is_given_to_every_prompt() -> None:
    assert list(fit("majority", PROMPTS, ANSWERS).scores(["x", ""])) == [Written("Nobody knows.")] * 2


def test_of_answers_that_are_equally_common_the_first_is_given() -> None:
    assert fit("majority", PROMPTS[:2], ANSWERS[:2]).scores(["x"])[0].text == "20 degrees."


@pytest.mark.parametrize("chunk", [1, 64])
def test_the_nearest_prompt_lends_its_answer(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(nearest_file, "CHUNK", chunk)
    found = fit("nearest", PROMPTS, ANSWERS).scores(["So how deep is that lake really", "Is the SEA warm?", "tower"])
    assert list(found) == [Written("40 metres."), Written("20 degrees."), Written("Nobody knows.")]
    assert found.dtype == object and found[0].log_likelihood is None


def test_the_nearest_chinese_prompt_lends_its_answer() -> None:
    model = fit("nearest", ["湖水有多深？", "海水有多暖？", "塔是谁建的？"], ["四十米。", "二十度。", "无人知晓。"])
    assert [each.text for each in model.scores(["请问这座塔是谁建造的", "湖有多深"])] == ["无人知晓。", "四十米。"]


def test_a_prompt_like_no_other_gets_the_commonest_answer() -> None:
    assert fit("nearest", PROMPTS, ANSWERS).scores(["zzz", ""])[0].text == "Nobody knows."


def test_prompts_without_a_word_leave_the_commonest_answer() -> None:
    model = fit("nearest", ["?", "!", "..."], ["b", "a", "a"])
    assert (model.name, model.scores(["?"])[0].text) == ("majority", "a")


def test_no_prompts_have_no_answers() -> None:
    assert len(fit("nearest", PROMPTS, ANSWERS).scores([])) == 0
