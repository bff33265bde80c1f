"""Training above frozen layers whose states are kept on disk, against the same run that computes them every epoch."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import Sentiment
from benchmarks.measure import alternate
from benchmarks.results import Result, result

ROWS, STEPS = 800, 25
"""Texts, and the steps of an epoch that they make."""

EPOCHS, DEV_ROWS = 4, 64
LAYERS, REPETITIONS = 6, 5
FROZEN = {"prefix_cache_4_of_6": 4, "prefix_cache_5_of_6": 5}
"""Frozen layers of each benchmark."""


def bound(frozen: int) -> float:
    """What the count of operations allows: a layer costs 1 to compute, and 2 more where it is trained."""
    trained = 3 * (LAYERS - frozen)
    return (frozen + trained) / trained


def run(name: str) -> Result:
    """Samples per second of the training steps, from the second epoch on."""
    frozen = FROZEN[name]
    weights: dict[bool, Any] = {}
    ours, peer = partial(_speed, frozen, True, weights), partial(_speed, frozen, False, weights)
    sides = alternate(ours, peer, repetitions=REPETITIONS)
    allowed = bound(frozen)
    shares = [(ours / peer - 1) / (allowed - 1) for ours, peer in zip(sides.ours, sides.peer, strict=True)]
    furthest = max(float((one - weights[False][key]).abs().max()) for key, one in weights[True].items())
    return result(
        name, sides, ours=f"tuneloop tune, {frozen} of {LAYERS} layers frozen, their states kept on disk",
        peer="the same run with training.frozen_cache_gb: 0", peer_package="torch", unit="samples/s",
        quality={
            "bound": round(allowed, 3), "share of the gain it allows": round(median(shares), 3),
            "largest difference of a weight": furthest,
        },
    )  # fmt: skip


def _speed(frozen: int, keeps: bool, weights: dict[bool, Any], _: int) -> float:
    """One run; its final weights come into `weights`."""
    from tuneloop.core.config import parse_config
    from tuneloop.methods.split import Split
    from tuneloop.training.loop import train
    from tuneloop.training.prepare import prepare

    training = {"epochs": EPOCHS, "report_to": [], "checkpoint_every_s": 1e6, "checkpoint_every_steps": 10**6}
    method = {"type": "full", "frozen_layers": frozen}
    config = parse_config({"data": {"source": "x.csv"}, "method": method, "training": training})
    ready, ended_s = prepare(config, Sentiment(ROWS)), {}

    dev = Split(ready.dev.tokens.select(range(DEV_ROWS)), ready.dev.labels[:DEV_ROWS])

    def after_step(step: int) -> None:
        ended_s[step] = time.perf_counter()

    with TemporaryDirectory() as folder:
        train(
            ready.model, ready.task, ready.method, train_split=ready.train, dev_split=dev,
            config=config.training, seed=config.seed, precision=ready.precision, folder=Path(folder), fingerprint={},
            cache=Path(folder) / "states" if keeps else None, quiet=True, after_step=after_step,
        )  # fmt: skip
    weights[keeps] = {name: value.detach().clone() for name, value in ready.model.named_parameters()}
    # the last step of an epoch has the dev evaluation in it
    timed = [step for step in ended_s if step > STEPS and step % STEPS]
    return len(timed) * config.training.batch_size / sum(ended_s[step] - ended_s[step - 1] for step in timed)
