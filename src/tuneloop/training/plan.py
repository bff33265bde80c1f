"""What a run would cost, from a few real steps on batches that stand for all of them; nothing is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from tuneloop.core.config import RunConfig
from tuneloop.core.i18n import t
from tuneloop.core.progress import format_duration
from tuneloop.data.batches import split_by_tokens
from tuneloop.methods.base import GradientMethod, SolvedMethod, count_parameters
from tuneloop.methods.split import Split
from tuneloop.models.device import peak_memory_bytes
from tuneloop.models.flops import forward_flops
from tuneloop.models.forward import predict_logits, reading_batches
from tuneloop.models.frozen import frozen_prefix
from tuneloop.training import checkpoint
from tuneloop.training.choice import settle
from tuneloop.training.interrupt import InterruptedTrainingError
from tuneloop.training.loop import train
from tuneloop.training.memory import HEAP_GROWTH
from tuneloop.training.prepare import Prepared, Snapshot, prepare
from tuneloop.training.regularisers import tokens_per_part
from tuneloop.training.save import save_model
from tuneloop.training.steps import Steps

IntArray = np.ndarray[Any, np.dtype[Any]]

MEASURED_STEPS = 30
MEASURED_ROWS = 512
ONCE = {"epochs": 1, "evaluations_per_epoch": 1, "patience": 0, "report_to": (), "checkpoint_every_s": math.inf}
"""One pass, evaluated once at its end."""


@dataclass(frozen=True)
class Plan:
    """What a run would cost.

    Args:
        train_rows: training texts.
        dev_rows: dev texts.
        tokens: tokens of the training texts, one epoch.
        padded_share: share of padding in what the model reads while training.
        steps: optimiser steps; 0 for a method without steps.
        parameters: of the model.
        trained_parameters: those that change.
        device: cpu or cuda.
        precision: fp32 or bf16.
        seconds: predicted time from the first byte read to the saved model.
        memory_bytes: predicted peak memory of the process (of the GPU where there is one).
        frozen_states_bytes: what the states behind frozen layers take on disk; 0 where they are of no use.
        keeps_frozen_states: whether they are kept, because they fit into training.frozen_cache_gb.
        method: what is trained.
        why: the reason for it, where it was chosen (`method: auto`).
    """

    train_rows: int
    dev_rows: int
    tokens: int
    padded_share: float
    steps: int
    parameters: int
    trained_parameters: int
    device: str
    precision: str
    seconds: float
    memory_bytes: int
    frozen_states_bytes: int
    keeps_frozen_states: bool
    method: str = ""
    why: str = ""

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of each line of a table for people."""
        share = self.trained_parameters / self.parameters
        return [
            *([(t("method"), self.why)] if self.why else []),
            (t("training texts"), f"{self.train_rows:,}"),
            (t("dev texts"), f"{self.dev_rows:,}"),
            (t("tokens per epoch"), t("{tokens:,} (+ {share:.0%} padding)", tokens=self.tokens, share=self._padding)),
            (t("steps"), f"{self.steps:,}"),
            (t("trained parameters"), f"{self.trained_parameters:,} / {self.parameters:,} ({share:.1%})"),
            (t("computed on"), f"{self.device}, {self.precision}"),
            (t("time"), format_duration(self.seconds)),
            (t("peak memory"), f"{self.memory_bytes / (1 << 30):.1f} GiB"),
            *self._frozen,
        ]

    @property
    def _frozen(self) -> list[tuple[str, str]]:
        gb = self.frozen_states_bytes / 10**9
        kept, computed = (
            t("computed once, {gb:.2f} GB on disk", gb=gb),
            t("computed in every epoch: {gb:.2f} GB are more than training.frozen_cache_gb", gb=gb),
        )
        return [(t("frozen layers"), kept if self.keeps_frozen_states else computed)] if gb else []

    @property
    def _padding(self) -> float:
        return self.padded_share / (1 - self.padded_share)


def plan(config: RunConfig, *, snapshot: Snapshot, base: Path | None = None) -> Plan:
    """What `tune` would do and cost, with the same configuration and data.

    Args:
        base: the folder that a relative model.source starts from.

    Raises:
        ConfigError, ModelError: as `tune` would.
    """
    began_s = time.monotonic()
    config, why = settle(config, snapshot, base=base)
    ready = prepare(config, snapshot, base=base)
    prepared_s = time.monotonic() - began_s
    device, (trained, total) = ready.model.device.type, count_parameters(ready.model)
    with TemporaryDirectory(prefix="tuneloop-plan-") as folder:
        measure = _measure_solving if isinstance(ready.method, SolvedMethod) else _measure_training
        work = measure(ready, config, Path(folder))
    return Plan(
        train_rows=len(ready.train.labels),
        dev_rows=len(ready.dev.labels),
        tokens=int(ready.train.tokens.lengths.sum()),
        padded_share=work.padded_share,
        steps=work.steps,
        parameters=total,
        trained_parameters=trained,
        device=device,
        precision=ready.precision,
        seconds=prepared_s + work.seconds,
        memory_bytes=work.memory_bytes,
        frozen_states_bytes=ready.frozen_states_bytes(config.training),
        keeps_frozen_states=ready.frozen_cache(config.training, Path()) is not None,
        method=config.method.type,
        why=why,
    )


@dataclass(frozen=True)
class _Work:
    steps: int
    padded_share: float
    seconds: float
    memory_bytes: int


def _measure_training(ready: Prepared, config: RunConfig, folder: Path) -> _Work:
    """Train on a few batches from the shortest to the longest, evaluate and save once; scale up by padded tokens."""
    training, method = config.training, cast("GradientMethod", ready.method)
    whole = Steps(method, ready.train, training, config.seed)

    def costs(steps: Steps, epoch: int) -> IntArray:
        tokens = steps.split.tokens
        parts = [split_by_tokens(batch, tokens, tokens_per_part(training)) for batch in steps.batches(epoch)]
        if (
            ready.task.generates and not ready.model.config.is_encoder_decoder
        ):  # texts are packed, so padding costs nothing
            return np.array([tokens.lengths[batch].sum() for batch in steps.batches(epoch)])
        return np.array([padded(tokens.lengths, each) for each in parts])

    sample = ready.train.select(_spread(costs(whole, 0), MEASURED_STEPS, whole.batches(0)))
    dev = _dev_part(ready)
    marks_s: list[float] = []
    sampled_steps = Steps(method, sample, training, config.seed)
    device = ready.model.device.type
    loaded_bytes = peak_memory_bytes(device)
    cache = ready.frozen_cache(training, folder)
    try:
        with ready.used_words(training):
            place = train(
                ready.model,
                ready.task,
                method,
                train_split=sample,
                dev_split=dev,
                config=training.model_copy(update=ONCE | {"checkpoint_every_steps": sampled_steps.per_epoch}),
                seed=config.seed,
                precision=ready.precision,
                folder=folder,
                fingerprint={},
                cache=cache,
                held=ready.held,
                quiet=True,
                after_step=lambda _: marks_s.append(time.monotonic()),
            )
    except InterruptedTrainingError:
        raise KeyboardInterrupt from None  # there is no run that could be resumed
    taken_bytes = (peak_memory_bytes(device) - loaded_bytes) * (HEAP_GROWTH if device == "cpu" else 1)
    # the first steps warm up, which a run does as well; the last one has the evaluation and the checkpoint in it
    seconds, sampled = np.diff(marks_s)[1:-1], costs(sampled_steps, 0)
    every = np.concatenate([costs(whole, epoch) for epoch in range(math.ceil(training.epochs))])[: whole.total]
    if len(seconds):
        token_s = seconds.sum() / sampled[2:-1].sum()
        steps_s = every.sum() * token_s + max(0.0, place.steps_s - sampled.sum() * token_s)
    else:
        steps_s = whole.total * float(marks_s[-1] - marks_s[0])
    saves = max(whole.total / training.checkpoint_every_steps, steps_s / training.checkpoint_every_s)
    evaluation_s = _evaluation_s(ready, dev)
    extra_s = (len(whole.due) + 1) * evaluation_s + int(saves) * _saving_s(folder)
    if method.reads_before:
        extra_s += evaluation_s * (1 + float(ready.train.tokens.offsets[-1] / ready.dev.tokens.offsets[-1]))
    extra_s += _keeping_s(ready, sample, folder / "frozen") if cache else 0
    extra_s += _finishing_s(ready, config, folder)
    texts = sum(int(ready.train.tokens.lengths[batch].sum()) for batch in whole.batches(0))
    share = 1 - texts / costs(whole, 0).sum()
    return _Work(whole.total, float(share), float(steps_s + extra_s), loaded_bytes + int(taken_bytes))


def _measure_solving(ready: Prepared, config: RunConfig, folder: Path) -> _Work:
    """Solve for some of the texts; both the passes through the model and the solution grow with their number."""
    method = cast("SolvedMethod", ready.method)
    cost, dev_cost = _reading_cost(ready.train), _reading_cost(ready.dev)
    sample, dev = ready.train.select(_evenly(ready.train.tokens.lengths)), _dev_part(ready)
    predict_logits(ready.model, dev.tokens, ready.precision)
    loading_s = time.monotonic()
    method.import_libraries()
    began_s = time.monotonic()
    method.solve(ready.model, ready.task, train=sample, dev=dev, precision=ready.precision, cache=folder)
    took_s = time.monotonic() - began_s
    measured = _reading_cost(sample) + _reading_cost(dev)
    seconds = began_s - loading_s + took_s * (cost + dev_cost) / measured
    seconds += _evaluation_s(ready, dev) + _finishing_s(ready, config, folder)
    share = 1 - ready.train.tokens.lengths.sum() / cost
    return _Work(0, float(share), float(seconds), peak_memory_bytes(ready.model.device.type))


def _reading_cost(split: Split) -> int:
    """Tokens in the batches that it is read in, padding included."""
    return padded(split.tokens.lengths, reading_batches(split.tokens.lengths))


def padded(lengths: IntArray, batches: Sequence[IntArray]) -> int:
    """Tokens in these batches, padding included."""
    return sum(len(batch) * int(lengths[batch].max()) for batch in batches)


def _spread(costs: IntArray, count: int, batches: Sequence[IntArray]) -> IntArray:
    """The rows of up to `count` batches: evenly from the cheapest to the dearest, and the dearest itself."""
    order = np.argsort(costs, kind="stable")
    chosen = {int(order[place]) for place in np.linspace(0, len(order) - 1, count).round().astype(int)}
    return np.concatenate([batches[number] for number in sorted(chosen)])


def _evenly(lengths: IntArray) -> IntArray:
    """Up to MEASURED_ROWS rows, evenly from the shortest to the longest text."""
    order: IntArray = np.argsort(lengths, kind="stable")
    return order[np.linspace(0, len(order) - 1, min(MEASURED_ROWS, len(order))).round().astype(int)]


def _dev_part(ready: Prepared) -> Split:
    return ready.dev.select(_evenly(ready.dev.tokens.lengths))


def _evaluation_s(ready: Prepared, dev: Split) -> float:
    """Seconds of one pass over all of dev, from a pass over a part."""
    method = ready.method
    began_s = time.monotonic()
    if isinstance(method, GradientMethod) and type(method).figures is not GradientMethod.figures:
        method.figures(ready.model, ready.task, dev, ready.precision)
    elif ready.task.has_head:
        predict_logits(ready.model, dev.tokens, ready.precision)
    else:
        ready.task.judge(ready.model, dev.tokens, dev.labels, dev.inputs, ready.precision)
    return (time.monotonic() - began_s) * len(ready.dev.labels) / len(dev.labels)


def _keeping_s(ready: Prepared, sample: Split, folder: Path) -> float:
    """Seconds of computing and keeping what the frozen layers say of all training texts, from those of a part."""
    marks_s = [time.monotonic()]
    for _ in ("made", "found"):
        with frozen_prefix(ready.model) as prefix:
            prefix.keep(sample.tokens, ready.precision, folder=folder, limit_bytes=0, quiet=True)
        marks_s.append(time.monotonic())
    made_s, found_s = np.diff(marks_s)
    share = ready.train.tokens.offsets[-1] / sample.tokens.offsets[-1]
    return float(found_s + (made_s - found_s) * share)


def _finishing_s(ready: Prepared, config: RunConfig, folder: Path) -> float:
    """Seconds of writing the model and counting its operations, with which a run ends; the model is merged then."""
    began_s = time.monotonic()
    model = ready.method.merge(ready.model) if ready.method.mergeable else ready.model
    save_model(folder / "model", model, ready, config, 1.0)
    forward_flops(model)
    return time.monotonic() - began_s


def _saving_s(folder: Path) -> float:
    """Seconds of writing a checkpoint such as the one that was just written."""
    place, tensors = checkpoint.load(cast("Path", checkpoint.newest(folder / "checkpoints")), fingerprint={})
    began_s = time.monotonic()
    checkpoint.save(folder / "again", place=place, tensors=tensors, fingerprint={})
    return time.monotonic() - began_s
