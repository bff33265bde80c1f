"""Fitting, when a release is made, the exits at which texts may leave its model, and what they save and cost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.evaluation.handover import HandOver, choose_exits, leaving
from tuneloop.evaluation.paired import difference_of_means
from tuneloop.inference.cascade import margins
from tuneloop.inference.exits import Exits, check_exits
from tuneloop.inference.predictor import open_predictor
from tuneloop.methods.probe import solve_head
from tuneloop.models.pooling import own_layers
from tuneloop.models.stages import means_at_exits
from tuneloop.releases.scorecard import Subject, held_out_rows
from tuneloop.tasks.temperature import fit_temperature

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig
    from tuneloop.data.examples import Examples, Label
    from tuneloop.data.snapshot_folder import Snapshot
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import FloatArray, Task

    Bools = np.ndarray[Any, np.dtype[np.bool_]]

TRAIN_ROWS = 20_000
"""Training texts that heads are fitted to at most."""

PENALTY = 0.01
"""Of the squared weights of a head, see `LinearProbe`."""


def add_exits(model: Path, config: RunConfig, snapshot: Snapshot, *, base: Path, quiet: bool = False) -> dict[str, Any]:
    """Write the exits that the configuration wants into a model's folder; what release.json says of them.

    Heads learn from train, their temperature and the threshold come from dev, or the threshold from other rows; test
    decides nothing. Where no threshold can be shown to lose so little, nothing is written.

    Args:
        base: the folder that `release.exits.data` starts from.

    Raises:
        ConfigError: if the task or the model cannot have them.
        DataError: if the other rows cannot be read, were learnt from or are tested on.
    """
    wanted = config.release.exits
    with closing(open_predictor(model)) as predictor, progress(t("fitting exits"), 3, quiet=quiet) as bar:
        whole: Any = predictor.engine.model  # type: ignore[union-attr]
        check_exits(config.release, predictor.task, whole, rules=config.knowledge.rules)
        subject = Subject(config.name, config, snapshot, predictor, model)
        dev = snapshot.split("dev")
        rows = held_out_rows(base / wanted.data, subject) if wanted.data else dev
        of_dev = _means(predictor, wanted.layers, dev)
        heads = _learnt(predictor, wanted.layers, snapshot.split("train"), of_dev, dev.labels, seed=config.seed)
        bar.update(1)
        on_rows = _seen(predictor, heads, rows, _means(predictor, heads.layers, rows) if wanted.data else of_dev)
        bar.update(2)
        found: dict[str, Any] = {
            "layers": list(wanted.layers), "of": len(own_layers(whole)), "fitted_on": wanted.data or "dev",
            "rows": len(rows), "max_loss": wanted.max_loss, "confidence": wanted.confidence, "used": False,
        }  # fmt: skip
        handover = _chosen(on_rows, max_loss=wanted.max_loss, confidence=wanted.confidence)
        if handover is not None:
            Exits(heads.layers, handover.threshold, heads.weights, heads.biases).keep(model)
            found |= {"used": True, "handover": handover.to_json(), **on_rows.saved(handover.threshold, found["of"])}
            test = snapshot.split("test")
            on_test = _seen(predictor, heads, test, _means(predictor, heads.layers, test))
            found["test"] = _on_test(on_test, handover, found["of"], config)
        bar.update(3)
    return found


@dataclass(frozen=True)
class Seen:
    """What exits and the whole model say of labelled rows.

    Args:
        layers: of the exits.
        sure: the margin at each exit, (exits, n).
        right: whether each exit answers rightly, (exits, n).
        whole: whether the whole model does, (n,).
    """

    layers: tuple[int, ...]
    sure: FloatArray
    right: Bools
    whole: Bools

    def saved(self, threshold: float, layers: int) -> dict[str, Any]:
        """Share of the rows that leave behind each layer, and of all layers that are saved."""
        left = leaving(self.sure, threshold)
        shares = {str(layer): float((left == number).mean()) for number, layer in enumerate(self.layers)}
        gain = sum(share * (layers - int(layer)) for layer, share in shares.items()) / layers
        return {"leave": shares, "layers_saved": gain}

    def answered(self, threshold: float) -> Bools:
        """Whether each row is rightly answered, wherever it leaves, (n,)."""
        left = leaving(self.sure, threshold)
        return np.where(left >= 0, self.right[left, np.arange(len(left))], self.whole)


def fitted_heads(
    task: Task,
    layers: Sequence[int],
    means: FloatArray,
    labels: Sequence[Label],
    dev: FloatArray,
    known: Sequence[Label],
) -> Exits:
    """A calibrated head behind each layer; the threshold is not chosen yet.

    Args:
        means: states of the training texts, (layers, n, hidden), see `means_at_exits`; `labels` are their classes.
        dev: the same of dev, for the temperature; `known` are its classes.
    """
    import torch

    weights, biases = [], []
    for learnt, other in zip(means, dev, strict=True):
        head = torch.nn.Linear(learnt.shape[1], task.outputs)
        solve_head(head, learnt, list(labels), task, penalty=PENALTY)
        weight, bias = (each.detach().numpy() for each in (head.weight, head.bias))
        temperature = fit_temperature(other @ weight.T + bias, known, task)
        weights.append((weight / temperature).astype(np.float32))
        biases.append((bias / temperature).astype(np.float32))
    return Exits(tuple(layers), 0.0, tuple(weights), tuple(biases))


def seen_by(
    task: Task, layers: tuple[int, ...], answers: Sequence[FloatArray], whole: FloatArray, labels: Sequence[Label]
) -> Seen:
    """What heads say by their logits, (n, classes) of each, and the whole model by its scores, (n, classes)."""
    scores = [task.scores(each) for each in answers]
    return Seen(
        layers,
        np.stack(list(map(margins, scores))),
        np.stack([task.right(labels, each) for each in scores]),
        task.right(labels, whole),
    )


def _means(predictor: Predictor, layers: tuple[int, ...], rows: Examples) -> FloatArray:
    tokens = predictor.tokenizer.encode(predictor.mended(rows.inputs))
    model: Any = predictor.engine.model  # type: ignore[union-attr]
    return means_at_exits(model, layers, tokens)


def _learnt(
    predictor: Predictor,
    layers: tuple[int, ...],
    train: Examples,
    dev: FloatArray,
    known: Sequence[Label],
    *,
    seed: int,
) -> Exits:
    rows = np.random.default_rng(seed).permutation(len(train))[:TRAIN_ROWS].tolist()
    train = train.select(sorted(rows))
    return fitted_heads(predictor.task, layers, _means(predictor, layers, train), train.labels, dev, known)


def _seen(predictor: Predictor, heads: Exits, rows: Examples, means: FloatArray) -> Seen:
    return seen_by(predictor.task, heads.layers, heads.every(means), predictor.scores(rows.inputs), rows.labels)


def _chosen(seen: Seen, *, max_loss: float, confidence: float) -> HandOver | None:
    """The threshold, None where the rows show none to be safe or none lets a text leave."""
    try:
        found = choose_exits(seen.sure, seen.right, seen.whole, max_loss=max_loss, confidence=confidence)
    except DataError:
        return None
    return found if found.share < 1 else None


def _on_test(seen: Seen, handover: HandOver, layers: int, config: RunConfig) -> dict[str, Any] | None:
    """What the exits save on test and what they cost, with its paired 95 % interval; None without test rows."""
    if not len(seen.whole):
        return None
    ours = seen.answered(handover.threshold)
    found = difference_of_means(
        ours.astype(np.float64), seen.whole.astype(np.float64), metric="accuracy", seed=config.seed,
        resamples=config.evaluation.resamples,
    )  # fmt: skip
    return {
        "accuracy": float(ours.mean()), "whole": float(seen.whole.mean()), "difference": found.difference,
        "low": found.low, "high": found.high, **seen.saved(handover.threshold, layers),
    }  # fmt: skip
