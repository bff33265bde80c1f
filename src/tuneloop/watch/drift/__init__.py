"""Whether served texts and answers are still like those of the reference: one file per detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.watch.drift.base import Detector

DETECTORS: Registry[type[Detector]] = Registry(
    "detector",
    "tuneloop.drift_detectors",
    {
        "labels": "tuneloop.watch.drift.labels:Labels",
        "confidence": "tuneloop.watch.drift.confidence:Confidence",
        "embedding": "tuneloop.watch.drift.embedding:Embedding",
        "classifier": "tuneloop.watch.drift.classifier:Classifier",
        "vocabulary": "tuneloop.watch.drift.vocabulary:Vocabulary",
        "language": "tuneloop.watch.drift.language:Language",
        "length": "tuneloop.watch.drift.length:Length",
        "latency": "tuneloop.watch.drift.latency:Latency",
    },
)
