"""How far neighbours move an answer is measured with neighbours that really share its batch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tuneloop.data.batches import inference_batches
from tuneloop.data.examples import Examples
from tuneloop.releases.agreement import batch_effect, companies


class Moved:
    """Each answer is moved by a hundredth for every other text of its batch; batches are those of a predictor."""

    task = SimpleNamespace(changes=lambda one, other: np.abs(one - other).max(axis=1))

    def scores(self, inputs: list[str]) -> np.ndarray:
        found = np.zeros((len(inputs), 1), np.float32)
        for rows in inference_batches(np.array([len(each) for each in inputs]), max_tokens=4096):
            found[rows] = 0.01 * (len(rows) - 1)
        return found


def test_it_is_seen_where_a_long_text_is_put_into_another_batch() -> None:
    texts = ["a" * (5 + number % 7) + str(number) for number in range(40)] + ["b" * 900]
    assert len(inference_batches(np.array([5, 900]), max_tokens=4096)) == 2
    assert batch_effect(Moved(), Examples([], texts)) == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("texts", [["a"], ["a", "bb", "bb"], [("a", "b"), ("a", "bbb")]])
def test_few_texts_are_enough(texts: list) -> None:
    assert all(group[-1] == max(set(texts), key=str) for group in companies(texts))
