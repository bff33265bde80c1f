"""A number for two texts: how alike they are, how well one answers the other."""

from __future__ import annotations

from tuneloop.tasks.regression import Regression


class PairRegression(Regression):
    """Regression on a text and its pair; the model reads both together."""

    name = "pair_regression"
    takes_pairs = True
