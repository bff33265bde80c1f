"""How often the served answers are right: estimated without labels, measured where people said so.

No estimate without labels holds for every change (Garg et al. 2022, section 3), so each says what it assumes:

- `confidence`: the mean confidence; the probabilities are calibrated on the served texts too.
- `difference`: the accuracy of the reference less what its mean confidence has fallen by (Difference of Confidences,
  Guillory et al., "Predicting with Confidence on Unseen Distributions", ICCV 2021); confidence falls as accuracy does.
- `threshold`: the share of answers above the confidence that as many of the reference's answers exceed as are right
  (Average Thresholded Confidence, Garg et al., "Leveraging Unlabeled Data to Predict Out-of-Distribution Performance",
  ICLR 2022); that confidence keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneloop.audits.base import Figure, share
from tuneloop.core.i18n import t
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.drift.reference import Reference

RESAMPLES = 1000
FEWEST = 20
"""Answers of the reference or the window below which nothing is estimated."""


def estimated(reference: Reference, events: Sequence[Event], *, seed: int = 0) -> dict[str, Figure]:
    """Estimates of the accuracy of events by their names, with 95 % percentile bootstrap intervals over both sides.

    An interval is of the share of right answers among these events: it holds the luck of so many answers too.
    Empty where there are too few confidences; `difference` and `threshold` need a reference whose answers are known to
    be right or wrong.
    """
    now = np.array([event.confidence for event in events if event.confidence is not None])
    known = [
        (event.confidence, right)
        for event, right in zip(reference.events, reference.right, strict=True)
        if event.confidence is not None and right is not None
    ]
    if len(now) < FEWEST:
        return {}
    random = np.random.default_rng([seed, 77])
    drawn = now[random.integers(0, len(now), (RESAMPLES, len(now)))]
    found = {"confidence": _figure(now.mean(), drawn.mean(axis=1), len(now), random)}
    if len(known) < FEWEST:
        return found
    before, right = np.array([sure for sure, _ in known]), np.array([good for _, good in known], dtype=float)
    rows = random.integers(0, len(before), (RESAMPLES, len(before)))
    old, good = before[rows], right[rows].mean(axis=1)
    found["difference"] = _figure(
        right.mean() - (before.mean() - now.mean()), good - (old.mean(axis=1) - drawn.mean(axis=1)), len(now), random
    )
    cuts = _cuts(old, good)
    found["threshold"] = _figure(
        (now >= _cuts(before[None], right.mean()[None])).mean(), (drawn >= cuts[:, None]).mean(axis=1), len(now), random
    )
    return found


def measured(pairs: Sequence[tuple[Event, Feedback]]) -> Figure:
    """The accuracy of the events that people spoke about, with Wilson's interval; the last word on an event counts.
    A label says nothing of an answer that is no class.

    It is that of all events only if feedback does not come rather for wrong answers than for right ones: it is not
    weighted for who speaks up.
    """
    last: dict[str, bool] = {}
    for event, feedback in sorted(pairs, key=lambda pair: (pair[1].number, pair[1].at)):
        if feedback.label is not None and event.label is not None:
            last[event.id] = feedback.label == event.label
        elif feedback.good is not None:
            last[event.id] = feedback.good
    return share(sum(last.values()), len(last))


def title(name: str) -> str:
    """What a figure of accuracy is called and assumes, in the language in force."""
    return {
        "confidence": t("estimated by mean confidence: if probabilities are calibrated on these texts too"),
        "difference": t("estimated by the difference of confidences: if accuracy falls as confidence does"),
        "threshold": t("estimated by thresholded confidence: if a confidence means what it meant in the reference"),
        "measured": t("measured by feedback: if feedback does not come rather for wrong answers; it is not weighted"),
    }[name]


def to_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Plain values."""
    return {
        name: {"value": each.value, "low": each.low, "high": each.high, "n": each.n} for name, each in figures.items()
    }


def _cuts(confidences: Any, accuracy: Any) -> Any:
    """For each row of confidences the one that a share `accuracy` of them reach, (rows,)."""
    ordered = np.sort(confidences, axis=1)[:, ::-1]
    above = np.round(np.asarray(accuracy) * ordered.shape[1]).astype(int)
    padded = np.concatenate([np.full((len(ordered), 1), np.inf), ordered], axis=1)
    return np.take_along_axis(padded, above[:, None], axis=1)[:, 0]


def _figure(value: Any, resampled: Any, n: int, random: np.random.Generator) -> Figure:
    lucky = random.binomial(n, np.clip(resampled, 0, 1)) / n
    low, high = np.quantile(lucky, (0.025, 0.975))
    return Figure(float(np.clip(value, 0, 1)), float(low), float(high), n)
