"""Texts that would move the last layer much, and each in another direction."""

from __future__ import annotations

import numpy as np

from tuneloop.labelling.strategies.base import Chosen, FloatArray, Pool, Strategy


class Badge(Strategy):
    """k-means++ on gradients of the last layer, as if the model's own answer were the right one.

    Ash, Zhang, Krishnamurthy, Langford and Agarwal, "Deep Batch Active Learning by Diverse, Uncertain Gradient Lower
    Bounds" (2020). The gradient of a text is the outer product of p - onehot(argmax p) and its vector, so that the
    inner product of two gradients is that of the first parts times that of the second ones: no array of
    n x (classes x hidden) is ever built. The score is the length of the gradient.
    """

    name = "badge"
    needs = ("probabilities", "vectors")

    def choose(self, pool: Pool, count: int, *, seed: int) -> Chosen:
        random = np.random.default_rng(seed)
        residuals, vectors = residual(pool.get("probabilities")), pool.get("vectors").astype(np.float64)
        norms = (residuals**2).sum(axis=1) * (vectors**2).sum(axis=1)
        rows = [int(norms.argmax())]
        near = np.full(len(pool), np.inf)
        while len(rows) < min(count, len(pool)):
            last = rows[-1]
            products = (residuals @ residuals[last]) * (vectors @ vectors[last])
            near = np.minimum(near, np.maximum(norms + norms[last] - 2 * products, 0))
            near[rows] = 0
            rows.append(_drawn(near, rows, random))
        return Chosen(np.array(rows, dtype=np.int64), np.sqrt(norms[rows]))


def residual(probabilities: FloatArray) -> FloatArray:
    """p - onehot(argmax p), float64, (n, classes): how the loss moves the logits if the likeliest class is right."""
    found: FloatArray = probabilities.astype(np.float64)
    found[np.arange(len(found)), found.argmax(axis=1)] -= 1
    return found


def _drawn(weights: FloatArray, taken: list[int], random: np.random.Generator) -> int:
    """A row, by weight; any that is left where all weights are 0, as those of equal texts are."""
    total = weights.sum()
    if total > 0:
        return int(random.choice(len(weights), p=weights / total))
    return int(random.choice(np.setdiff1d(np.arange(len(weights)), taken)))
