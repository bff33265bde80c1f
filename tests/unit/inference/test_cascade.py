"""The cheap model's answer counts where it is sure, and the strong one sees nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.inference.cascade import CASCADE, Cascade, margins, open_cascade
from tuneloop.inference.opening import read_settings
from tuneloop.inference.predictor import open_predictor
from tuneloop.models.flops import Flops
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


class Fixed:
    """Says yes with a probability that stands in the text, and remembers what it was asked."""

    task = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})

    def __init__(self, name: str, shift: float = 0.0) -> None:
        self.name, self.shift, self.asked, self.closed = name, shift, [], False

    def scores(self, inputs: Sequence[str]) -> np.ndarray:
        self.asked += inputs
        yes = np.array([float(text) for text in inputs], np.float32) - self.shift
        return np.stack([1 - yes, yes], axis=1).reshape(-1, 2)

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return self.task.predictions(self.scores(inputs))

    def truncated(self, inputs: Sequence[str]) -> np.ndarray:
        return np.zeros(len(inputs), bool)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def both() -> Cascade:
    return Cascade(Fixed("cheap"), Fixed("strong", 0.0625), threshold=0.5, name="both")


def test_only_what_the_first_is_not_sure_of_is_asked_of_the_second(both: Cascade) -> None:
    found = both.predict(["0.125", "0.5", "0.75", "0.6875", "0.25"])
    assert [each.probabilities["yes"] for each in found] == [0.125, 0.4375, 0.75, 0.625, 0.25]
    assert [each.label for each in found] == ["no", "no", "yes", "yes", "no"]
    assert both.strong.asked == ["0.5", "0.6875"]


def test_sure_is_who_is_far_ahead_of_the_next() -> None:
    scores = np.array([[0.5, 0.45, 0.05], [0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], np.float32)
    assert margins(scores).tolist() == pytest.approx([0.05, 0.25, 1.0])


def test_scores_are_those_of_the_predictions(both: Cascade) -> None:
    texts = [f"{number / 16:.4f}" for number in range(17)]
    rows = [list(each.probabilities.values()) for each in both.predict(texts)]
    assert both.scores(texts).tolist() == rows


def test_nothing_asked_is_nothing_answered(both: Cascade) -> None:
    assert both.predict([]) == [] and both.scores([]).shape == (0, 2)
    assert both.strong.asked == []


def test_closing_closes_both(both: Cascade) -> None:
    both.close()
    assert both.cheap.closed and both.strong.closed


def test_the_answers_of_a_folder_are_those_of_its_parts(learnt, made_up, tmp_path: Path) -> None:
    model = Path(learnt("classification").engine.model.config._name_or_path or "")
    for part in ("cheap", "strong"):
        (tmp_path / part).symlink_to(model, target_is_directory=True)
    about: dict = {"version": 2, "threshold": 0.5} | {part: {"engine": "torch-fp32"} for part in ("cheap", "strong")}
    about["cheap"]["flops"] = Flops(2.0, 1.0, 0.0).to_json()
    (tmp_path / CASCADE).write_text(json.dumps(about))
    texts = made_up("classification").split("test").texts
    for engine in ("cascade", "torch-fp32"):
        handle = open_predictor(tmp_path, engine=engine)
        assert isinstance(handle, Cascade)
        expected = [each.probabilities for each in learnt("classification").predict(texts)]
        found = [each.probabilities for each in handle.predict(texts)]
        assert found == [pytest.approx(each, abs=1e-5) for each in expected]
        assert handle.flops == handle.cheap.flops > 0  # the strong one's are not known here
        handle.close()


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"version": 2, "threshold": "x"}',
        '{"version": 2, "threshold": 0.5, "cheap": {"engine": "torch-fp32"}}',
        '{"version": 1, "threshold": 0.5, "cheap": {"engine": "torch-fp32"}, "strong": {"engine": "torch-fp32"}}',
    ],
)  # fmt: skip
def test_a_damaged_description_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CASCADE).write_text(content)
    with pytest.raises(ModelError, match=CASCADE):
        open_cascade(tmp_path)


def test_what_looks_into_one_model_says_that_there_are_two(tmp_path: Path) -> None:
    (tmp_path / CASCADE).write_text("{}")
    with pytest.raises(ModelError, match="cascade of two models"):
        read_settings(tmp_path)
