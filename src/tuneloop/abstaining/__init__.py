"""When a model had better not answer: detectors of texts that are unlike its own, and sets of plausible classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.abstaining.base import Detector

DETECTORS: Registry[type[Detector]] = Registry(
    "detector",
    "tuneloop.detectors",
    {
        "max_softmax": "tuneloop.abstaining.max_softmax:MaxSoftmax",
        "energy": "tuneloop.abstaining.energy:Energy",
        "mahalanobis": "tuneloop.abstaining.mahalanobis:Mahalanobis",
        "neighbours": "tuneloop.abstaining.neighbours:Neighbours",
    },
)
