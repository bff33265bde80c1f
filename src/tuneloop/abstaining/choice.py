"""Which detector is the best for a model: fitted on train, compared on dev and texts from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tuneloop.abstaining import DETECTORS
from tuneloop.abstaining.base import Detector, IntArray, Reading
from tuneloop.abstaining.separation import auroc


def fit_detectors(reading: Reading, labels: IntArray, *, seed: int, names: Sequence[str] = ()) -> dict[str, Detector]:
    """The named detectors, or all, of those for which the reading tells enough.

    Args:
        reading: of training texts.
        labels: the numbers of their classes, (n,).
    """
    kinds = {name: DETECTORS.get(name) for name in names or DETECTORS.names()}
    return {name: kind.fit(reading, labels, seed=seed) for name, kind in kinds.items() if reading.tells(kind.needs)}


def ranked(detectors: Mapping[str, Detector], dev: Reading, outside: Mapping[str, Reading]) -> dict[str, float]:
    """The mean AUROC over the sets from outside of each detector, the best first; equal ones in the order given."""
    found = {}
    for name, detector in detectors.items():
        inside = detector.scores(dev)
        found[name] = float(np.mean([auroc(inside, detector.scores(each))[0] for each in outside.values()]))
    return dict(sorted(found.items(), key=lambda item: -item[1]))
