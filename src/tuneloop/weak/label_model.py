"""What votes say together: probabilities of the classes of each text.

Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm" (1979). Here to abstain
is one more response, as in Ratner et al., "Data Programming" (2016): a function that can give one class alone says
something by speaking at all. Libraries for crowds leave what was not answered out, and then such a function says
nothing. The responses have a Dirichlet prior, by which a function that speaks is rather right than wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.weak.base import SILENT, Votes

Array = np.ndarray[Any, np.dtype[np.float64]]

ITERATIONS = 1000
TOLERANCE = 1e-6
SMOOTHING = 0.01
"""Share that is added to every response, so that none is impossible."""


@dataclass(frozen=True)
class LabelModel:
    """How frequent classes are, and what each function says of texts of each class.

    Args:
        priors: (classes,).
        responses: (functions, classes, classes + 1); the last response is to abstain. None counts votes.
        iterations: of EM.
        temperature: what the logarithms are divided by, found on dev.
    """

    priors: Array
    responses: Array | None
    iterations: int = 0
    temperature: float = 1.0

    def logits(self, votes: Votes) -> Array:
        """Logarithms of the probabilities before the temperature, (texts, classes)."""
        if self.responses is None:
            counts = _counts(votes) + np.where(votes.spoken.any(axis=1), 0.0, 1.0)[:, None] * self.priors
            return np.asarray(np.log(np.maximum(counts / counts.sum(axis=1, keepdims=True), 1e-6)))
        return _log_joint(votes, self.priors, self.responses)

    def probabilities(self, votes: Votes) -> Array:
        """Of each class for each text, (texts, classes); the priors where no function speaks."""
        found = _softmax(self.logits(votes) / self.temperature)
        found[~votes.spoken.any(axis=1)] = self.priors
        return found


def fit(votes: Votes, *, model: str = "dawid_skene", priors: Array | None = None, trust: float = 100.0) -> LabelModel:
    """A label model from the votes alone.

    Args:
        votes: of texts without labels; those of which no function speaks say nothing.
        model: dawid_skene or majority.
        priors: how frequent the classes are, (classes,); estimated if None.
        trust: how many texts' worth of belief there is that functions are right.

    Raises:
        ConfigError: if no function says anything.
    """
    spoken = votes.spoken.any(axis=1)
    if not spoken.any():
        raise ConfigError(t("No function says anything of any text."), t("Look at tuneloop weak table."))
    patterns, times = np.unique(votes.matrix[spoken], axis=0, return_counts=True)  # equal votes, equal answers
    used, weights = Votes(votes.names, votes.labels, patterns), times.astype(np.float64)
    classes = len(votes.labels)
    shares = np.full(classes, 1 / classes) if priors is None else priors
    posterior = _counts(used) + SMOOTHING
    posterior /= posterior.sum(axis=1, keepdims=True)
    if model == "majority":
        return LabelModel(weights @ posterior / weights.sum() if priors is None else priors, None)
    belief = _belief(_told(used, weights[:, None])[:, 0] / weights.sum(), trust)
    iteration = 0
    while iteration < ITERATIONS:
        iteration += 1
        weighted = weights[:, None] * posterior
        responses = _told(used, weighted) + belief
        responses /= responses.sum(axis=2, keepdims=True)
        if priors is None:
            shares = (weighted.sum(axis=0) + trust / classes) / (weights.sum() + trust)
        before, posterior = posterior, _softmax(_log_joint(used, shares, responses))
        if np.abs(posterior - before).max() < TOLERANCE:
            break
    return LabelModel(shares, responses, iteration)


def _belief(rates: Array, trust: float) -> Array:
    """Counts before any text: how often a function gives a response at all, and as often again if it is right.

    Args:
        rates: share of the texts with each response, (functions, classes + 1).
    """
    classes = rates.shape[1] - 1
    belief = np.repeat((rates + SMOOTHING)[:, None, :], classes, axis=1)
    belief[:, np.arange(classes), np.arange(classes)] += rates[:, :classes]
    return trust * belief


def _numbers(votes: Votes) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The number of each response, that of no class last, (texts, functions)."""
    return np.where(votes.matrix == SILENT, len(votes.labels), votes.matrix)


def _told(votes: Votes, weights: Array) -> Array:
    """Summed weights, (texts, groups), of the texts with each response: (functions, groups, classes + 1)."""
    said = _numbers(votes).T
    width = len(votes.labels) + 1
    return np.array([[np.bincount(each, group, width) for group in weights.T] for each in said])


def _counts(votes: Votes) -> Array:
    """How many functions give each class, (texts, classes)."""
    return np.stack([(votes.matrix == number).sum(axis=1) for number in range(len(votes.labels))], axis=1) * 1.0


def _log_joint(votes: Votes, priors: Array, responses: Array) -> Array:
    numbers = _numbers(votes)
    logs = np.log(np.maximum(responses, 1e-12))
    each = [logs[function][:, numbers[:, function]].T for function in range(len(votes.names))]
    return np.asarray(np.log(np.maximum(priors, 1e-12)) + np.sum(each, axis=0))


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
