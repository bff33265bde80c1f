"""The figures of a run or release: on which rows, beside which baselines, against which release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

BASELINES = ("majority", "tfidf")
