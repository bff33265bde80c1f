"""The explainer that knows nothing: what others must be better than."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuneloop.explain.base import Explainer, Explanation, Question

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle


class RandomValues(Explainer):
    """Random numbers for words: no explanation, but what every explanation has to be better than."""

    name = "random"
    explains = False

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        output = float(question.target.of(model.scores([question.item]))[0])
        values = np.random.default_rng(seed).standard_normal(len(question.units))
        return self.explanation(
            question, values, base=None, output=output, error=None, error_kind="unknown", asked=1, absent=""
        )
