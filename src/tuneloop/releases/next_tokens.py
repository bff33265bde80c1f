"""Does a form of a model that writes find the same tokens likely as the model that was evaluated?

Texts are a poor measure of that: one token that differs by a rounding changes all that follows. So what is compared is
the distribution of the first token of the answer, and how likely the right answers are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.releases.agreement import Agreement, companies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuneloop.data.examples import Examples, Input
    from tuneloop.inference.writing import Writer

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

PROMPTS = 64
"""Rows of dev that are compared: their distributions are as wide as the vocabulary."""


@dataclass(frozen=True)
class NextTokens:
    """What a model makes of some prompts.

    Args:
        shares: the probability of each token as the first of the answer, (prompts, words).
        log_likelihood: of the tokens of the right answers, their mean.
    """

    shares: FloatArray
    log_likelihood: float


def next_tokens(writer: Writer, dev: Examples) -> NextTokens:
    """What a model makes of the first `PROMPTS` rows of dev."""
    few = dev.select(range(min(PROMPTS, len(dev))))
    sums, counts = writer.likelihoods(few.inputs, few.labels)
    return NextTokens(_shares(writer.logits(few.inputs)), float(sums.sum() / max(1, counts.sum())))


def agree_on_next(expected: NextTokens, found: NextTokens) -> Agreement:
    """Largest difference of a probability, share of prompts with the same likeliest token, loss of log-likelihood."""
    same = expected.shares.argmax(axis=1) == found.shares.argmax(axis=1)
    loss = expected.log_likelihood - found.log_likelihood
    return Agreement(float(np.abs(expected.shares - found.shares).max()), float(same.mean()), loss)


def agree_on_answers(writer: Writer, inputs: Sequence[Input], expected: FloatArray, found: FloatArray) -> Agreement:
    """Largest difference and fall of the log-likelihood of a token of the answers, and the share of equal answers.

    Where two tokens are about equally likely, a rounding parts two answers, and both are as good: an answer that
    differs is no loss if the model holds it no less likely.
    """
    texts = [[each.text for each in answers] for answers in (expected, found)]
    rows = [row for row, (one, other) in enumerate(zip(*texts, strict=True)) if one != other]
    if not rows:
        return Agreement(0.0, 1.0, 0.0)
    means = []
    for answers in texts:
        sums, counts = writer.likelihoods([inputs[row] for row in rows], [answers[row] for row in rows])
        means.append(sums / np.maximum(counts, 1))
    falls = means[0] - means[1]
    return Agreement(float(np.abs(falls).max()), 1 - len(rows) / len(inputs), float(falls.sum() / len(inputs)))


def neighbours_effect(writer: Writer, dev: Examples) -> float:
    """Largest change of a probability of the next token through the prompts that are read with it."""
    groups = companies(dev.select(range(min(PROMPTS, len(dev)))).inputs)
    changes = [np.abs(_shares(writer.logits(group[:1])) - _shares(writer.logits(group)[:1])).max() for group in groups]
    return float(np.max(changes))


def _shares(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: FloatArray = shifted / shifted.sum(axis=1, keepdims=True)
    return shares
