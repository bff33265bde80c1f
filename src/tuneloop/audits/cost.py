"""Latency, memory, size and energy of answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from tuneloop.audits.base import Audit, AuditOptions, Better, Figure, Outcome, Subject, Tell
from tuneloop.core.i18n import t

ALONE = 50
"""Texts that are answered one by one, for latency; a fiftieth of them is what p98 rests on."""

JOULE_PER_WH = 3600.0


class CostOptions(AuditOptions):
    """What energy costs."""

    watts: float = Field(65.0, gt=0, description="Power of the machine at work, for the estimate of energy.")


class Cost(Audit):
    """What does an answer cost in time, memory and energy, on this machine?"""

    name: ClassVar[str] = "cost"
    reads_texts = False
    Options = CostOptions
    figures: ClassVar[Mapping[str, Better]] = {
        "latency_p50_ms": "lower",
        "latency_p95_ms": "lower",
        "texts_per_s": "higher",
        "memory_mb": "lower",
        "size_mb": "lower",
        "seconds_per_1000": "lower",
        "wh_per_1000": "lower",
    }
    options: CostOptions

    def run(self, subject: Subject, tell: Tell) -> Outcome:
        """Time the model without any memory of earlier answers."""
        inputs = list(dict.fromkeys(subject.test.inputs))
        if not inputs:
            return Outcome({})
        subject.bare.predict(inputs[:1])
        tell(t("one text at a time"))
        waits = [_timed(subject, [text]) for text in inputs[:ALONE]]
        tell(t("many texts at once"))
        took_s = _timed(subject, inputs)
        per_1000_s = 1000 * took_s / len(inputs)
        low, high = _spread(waits, subject)
        figures = {
            "latency_p50_ms": Figure(float(np.median(waits)) * 1000, low, high, len(waits)),
            "latency_p95_ms": Figure(float(np.quantile(waits, 0.95)) * 1000, n=len(waits)),
            "texts_per_s": Figure(len(inputs) / took_s, n=len(inputs)),
            "memory_mb": Figure(_resident_mb()),
            "seconds_per_1000": Figure(per_1000_s, n=len(inputs)),
            "wh_per_1000": Figure(per_1000_s * self.options.watts / JOULE_PER_WH, n=len(inputs)),
        }
        if subject.folder is not None:
            size = sum(file.stat().st_size for file in subject.folder.rglob("*") if file.is_file())
            figures["size_mb"] = Figure(size / 1e6)
        return Outcome(figures)

    @classmethod
    def title(cls) -> str:
        """Its heading."""
        return t("Cost")

    @classmethod
    def figure_title(cls, name: str) -> str:
        """What a figure is called."""
        return {
            "latency_p50_ms": t("milliseconds for one text, median"),
            "latency_p95_ms": t("milliseconds for one text, 95th percentile"),
            "texts_per_s": t("texts per second, many at once"),
            "memory_mb": t("memory of the process, MB"),
            "size_mb": t("size of the folder with all forms, MB"),
            "seconds_per_1000": t("seconds for 1,000 answers"),
            "wh_per_1000": t("watt-hours for 1,000 answers, estimated"),
        }[name]

    @classmethod
    def figure_text(cls, name: str, value: float) -> str:
        """A figure's number as it is read."""
        return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


def _timed(subject: Subject, inputs: list[Any]) -> float:
    began_s = time.perf_counter()
    subject.bare.predict(inputs)
    return time.perf_counter() - began_s


def _spread(waits: list[float], subject: Subject) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median, milliseconds."""
    drawn = subject.random("cost").choice(waits, (1000, len(waits)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(low) * 1000, float(high) * 1000


def _resident_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6
