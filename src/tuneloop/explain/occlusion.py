"""Occlusion: what the answer loses with each unit (Zeiler and Fergus, 2014; Li, Monroe and Jurafsky, 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuneloop.explain.base import Explainer, Explanation, Question
from tuneloop.explain.game import Game, PerturbingOptions

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle


class Occlusion(Explainer):
    """What the answer loses when each word alone is absent: quick, blind to words that stand in for one another."""

    name = "occlusion"
    Options = PerturbingOptions
    options: PerturbingOptions

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        game = Game(model, question, self.options.absent)
        size = game.size
        found = game.values(
            np.concatenate([~np.eye(size, dtype=bool), np.ones((1, size), bool), np.zeros((1, size), bool)])
        )
        values, output, base = found[-2] - found[:-2], float(found[-2]), float(found[-1])
        return self.explanation(
            question, values, base=base, output=output, error=abs(output - base - float(values.sum())),
            error_kind="gap", asked=game.asked, absent=game.absent,
        )  # fmt: skip
