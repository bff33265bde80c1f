"""How fast an engine answers on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tuneloop.data.examples import Input
from tuneloop.inference.predictor import Predictor

PORTION = 256
"""Texts per timed call: enough for full batches, few enough for several calls in a second."""

ALONE = 5
"""Prompts that a model which writes answers alone, for its latency."""


@dataclass(frozen=True)
class EngineSpeed:
    """What was measured.

    Args:
        texts_per_s: distinct texts answered per second when many are given at once, tokenizing included.
        latency_ms: median milliseconds for one text alone.
    """

    texts_per_s: float
    latency_ms: float


def measure_engine(predictor: Predictor, inputs: Sequence[Input], *, seconds: float) -> EngineSpeed:
    """The speed of a predictor, after one untimed call; takes about `seconds`.

    Args:
        predictor: what is measured.
        inputs: typical texts; repeated ones count once, because they are computed once.
        seconds: time to spend, half on throughput and half on latency.

    Raises:
        ValueError: if there are no inputs.
    """
    texts = list(dict.fromkeys(inputs))
    if not texts:
        raise ValueError("measure_engine needs at least one input")
    portions = [texts[start : start + PORTION] for start in range(0, len(texts), PORTION)]
    predictor.logits(portions[0])
    rates = [len(portions[n % len(portions)]) / taken for n, taken in _timed(predictor, portions, seconds / 2)]
    waits = [taken for _, taken in _timed(predictor, [[text] for text in texts], seconds / 2)]
    return EngineSpeed(texts_per_s=median(rates), latency_ms=median(waits) * 1000)


def measure_writing(predictor: Predictor, inputs: Sequence[Input], *, took_s: float) -> EngineSpeed:
    """The speed of whole answers, whose first token alone says little.

    Args:
        inputs: what was answered in `took_s`; a few of them are answered again, alone.
    """
    texts = list(dict.fromkeys(inputs))
    waits = []
    for text in texts[:ALONE]:
        began_s = time.perf_counter()
        predictor.scores([text])
        waits.append(time.perf_counter() - began_s)
    return EngineSpeed(texts_per_s=len(texts) / max(took_s, 1e-9), latency_ms=median(waits) * 1000)


def _timed(predictor: Predictor, portions: list[list[Input]], seconds: float) -> list[tuple[int, float]]:
    """Number and duration of each call until the time is up; at least one."""
    calls: list[tuple[int, float]] = []
    begin = time.perf_counter()
    while not calls or time.perf_counter() - begin < seconds:
        started = time.perf_counter()
        predictor.logits(portions[len(calls) % len(portions)])
        calls.append((len(calls), time.perf_counter() - started))
    return calls
