"""Sets of classes that hold the right one as often as was promised.

Split conformal prediction with the score 1 - p(right class), "LAC": Sadinle, Lei and Wasserman, "Least ambiguous
set-valued classifiers with bounded error levels" (2019); Angelopoulos and Bates, "A gentle introduction to conformal
prediction" (2021), section 1. Of all scores it gives the smallest sets on average where probabilities are right, and
it draws nothing, so that a text always gets the same set; adaptive sets (APS) keep their promise exactly only by
drawing lots. The price: the promise holds over all texts together, not for each class or for hard texts alone, and a
set may be empty where no class is plausible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuneloop.abstaining.base import FloatArray, IntArray


@dataclass(frozen=True)
class LabelSets:
    """Which classes are plausible.

    Args:
        coverage: the share of texts whose set holds the right class, as promised.
        least: the probability from which on a class belongs to the set.
        rows: rows that it was calibrated on.
    """

    coverage: float
    least: float
    rows: int

    def holds(self, probabilities: FloatArray) -> FloatArray:
        """Whether each class belongs to the set of each text, bool, (n, classes)."""
        members: FloatArray = probabilities >= np.float32(self.least)
        return members


def rows_needed(coverage: float) -> int:
    """Rows without which the promise can be kept by the set of all classes alone."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def calibrate(probabilities: FloatArray, labels: IntArray, coverage: float) -> LabelSets:
    """The sets whose promise rests on rows that the model did not learn from.

    With n rows the ceil((n + 1) coverage)-th largest probability of a right class is the least; the coverage of texts
    of the same kind is then at least `coverage`, and at most 1 / (n + 1) more where no two probabilities are equal.

    Args:
        probabilities: float32, (n, classes).
        labels: numbers of the right classes, (n,).
    """
    right = np.sort(probabilities[np.arange(len(labels)), labels])[::-1]
    place = math.ceil((len(right) + 1) * coverage - 1e-9)
    least = float(right[place - 1]) if place <= len(right) else 0.0
    return LabelSets(coverage, least, len(right))


def covered(sets: LabelSets, probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """Whether each text's set holds the right class, bool, (n,)."""
    inside: FloatArray = sets.holds(probabilities)[np.arange(len(labels)), labels]
    return inside


def chance_of_so_few(sets: LabelSets, hits: int, n: int) -> float:
    """How likely it is to see at most `hits` of n covered if the promise holds: one tail of a beta-binomial.

    Its beta part is what a calibration on `sets.rows` rows leaves to chance (Vovk, "Conditional validity of inductive
    conformal predictors", 2012).
    """
    from scipy.stats import betabinom

    place = math.ceil((sets.rows + 1) * sets.coverage - 1e-9)
    if place > sets.rows:
        return 1.0
    return float(betabinom.cdf(hits, n, place, sets.rows + 1 - place))
