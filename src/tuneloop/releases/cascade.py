"""A release of two: a cheap one that answers what it is sure of, and a strong one for the rest."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core import fsio
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, ReleaseError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.evaluation.handover import HandOver, choose_handover
from tuneloop.evaluation.paired import difference_of_means
from tuneloop.inference.cascade import CASCADE, ENGINE, PARTS, TASKS, VERSION, is_cascade, margins, open_cascade
from tuneloop.releases import index, scorecard
from tuneloop.releases.agreement import agree, batch_effect
from tuneloop.releases.card import card
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.proof import Tools
from tuneloop.releases.read import Release
from tuneloop.releases.write import enter

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.inference.cascade import Cascade

REPETITIONS, TIMED_TEXTS = 3, 256


@dataclass(frozen=True)
class Costs:
    """Seconds that each model takes for a text, when many are given at once."""

    cheap_s: float
    strong_s: float

    def both_s(self, share: float) -> float:
        """Seconds a text if the strong model answers this share of them too."""
        return self.cheap_s + share * self.strong_s


def write_cascade(
    cheap: Release,
    strong: Release,
    *,
    name: str,
    workspace: Workspace,
    max_loss: float,
    confidence: float,
    tools: Tools,
    data: Path | None = None,
    quiet: bool = False,
) -> Release:
    """Both as a new release NAME-N, which holds a copy of each.

    Args:
        max_loss: accuracy that may be lost against the strong release alone.
        confidence: probability with which no more is lost.
        tools: what asks a server, as for any release.
        data: labelled rows that neither has learnt from; the dev split by default.

    Raises:
        ConfigError: if they do not go together.
        DataError: if the rows cannot show that so little is lost, or were learnt from.
        ReleaseError: if it would not be cheaper, or answers differently over HTTP.
        StorageError: if the disk refuses; no release is then visible.
    """
    _check_parts(cheap, strong)
    config = parse_config({**strong.info["config"], "name": name})
    snapshot = find_snapshot(strong.info["data_hash"], workspace)
    with progress(t("fitting the hand-over"), 3, quiet=quiet) as bar:
        rows = _rows(data, strong, snapshot, config)
        handover, costs = _fit(cheap, strong, rows, max_loss=max_loss, confidence=confidence)
        bar.update(1)
        release_id = index.next_id(name, workspace)
        path = workspace.releases / release_id
        with fsio.new_dir(path) as folder:
            _copy(folder, cheap, strong, threshold=handover.threshold)
            with closing(open_cascade(folder)) as both:
                subject = scorecard.Subject(release_id, config, snapshot, both, folder)  # type: ignore[arg-type]
                evaluation = scorecard.evaluate_staged(subject, strong, workspace=workspace, quiet=True)
                bar.update(2)
                form, served = _prove(both, snapshot.split("dev"), config, tools)
            form["texts_per_s"] = 1 / costs.both_s(handover.share)
            info = strong.info | {
                "id": release_id, "created": datetime.now(UTC).isoformat(), "engine": ENGINE, "forms": {ENGINE: form},
                "served": served, "config": config.model_dump(mode="json"), "weights": _weights(folder), "flops": None,
                "cascade": {"cheap": cheap.id, "strong": strong.id, "fitted_on": "dev" if data is None else data.name}
                | _figures(handover, costs, evaluation),
            }  # fmt: skip
            fsio.write_json(folder / "release.json", info)
            fsio.write_text(folder / "README.md", card(info, evaluation))
            write_manifest(folder)
        bar.update(3)
    return enter(info, path, workspace)


def _copy(folder: Path, cheap: Release, strong: Release, *, threshold: float) -> None:
    """Both releases, and from when on which of them answers."""
    about: dict[str, Any] = {"version": VERSION, "threshold": threshold}
    for part, release in zip(PARTS, (cheap, strong), strict=True):
        (folder / part).mkdir()
        fsio.copy_dir(release.path, folder / part)
        about[part] = {"release": release.id, "engine": release.engine, "flops": release.info.get("flops")}
    fsio.write_json(folder / CASCADE, about)


def _weights(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of weights."""
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in sorted(folder.rglob("*.safetensors"))}


def _check_parts(cheap: Release, strong: Release) -> None:
    """Nothing, if one may stand in for the other.

    Raises:
        ConfigError: if not.
    """
    for release in (cheap, strong):
        _check_part(release)
    one, other = (release.info["config"]["task"]["type"] for release in (cheap, strong))
    if one != other:
        raise ConfigError(
            t("{cheap} answers the task {one}, and {strong} the task {other}.", cheap=cheap.id, one=one,
              strong=strong.id, other=other),
            t("Name two releases of the same task."),
        )  # fmt: skip
    if cheap.info["data_hash"] != strong.info["data_hash"]:
        raise ConfigError(
            t("{cheap} and {strong} were tuned on different data, so the dev rows of one may be known to the other.",
              cheap=cheap.id, strong=strong.id),
            t("Tune both on the same data; a method, a model or more texts without labels may differ."),
        )  # fmt: skip
    with closing(cheap.predictor()) as first, closing(strong.predictor()) as second:
        if first.task.labels != second.task.labels:
            raise ConfigError(
                t("{cheap} knows other classes than {strong}.", cheap=cheap.id, strong=strong.id),
                t("Name two releases of the same classes."),
            )


def _check_part(release: Release) -> None:
    task = release.info["config"]["task"]["type"]
    if task not in TASKS:
        raise ConfigError(
            t("{release} answers the task {task}, whose answers cannot be handed over.", release=release.id, task=task),
            t("Known here: {known}.", known=", ".join(TASKS)),
        )
    if is_cascade(release.path):
        raise ConfigError(
            t("{release} is a cascade itself.", release=release.id), t("Name the releases that it was made of.")
        )
    if "abstaining" in release.info or release.info["config"].get("knowledge", {}).get("rules"):
        raise ConfigError(
            t("{release} abstains or keeps to rules, which a cascade does not do yet.", release=release.id),
            t("Name releases without release.abstain and knowledge.rules."),
        )


def _rows(data: Path | None, strong: Release, snapshot: Snapshot, config: RunConfig) -> Examples:
    """Labelled rows that neither model has learnt from."""
    if data is None:
        return snapshot.split("dev")
    with closing(strong.predictor()) as predictor:
        subject = scorecard.Subject(strong.id, config, snapshot, predictor, strong.path)
        return scorecard.held_out_rows(data, subject)


def fitted(cheap: Any, strong: Any, rows: Examples, *, max_loss: float, confidence: float) -> HandOver:
    """The hand-over between two predictors of one task by labelled rows; see `choose_handover`."""
    scores, others = cheap.scores(rows.inputs), strong.scores(rows.inputs)
    right = strong.task.right
    return choose_handover(
        margins(scores), right(rows.labels, scores), right(rows.labels, others),
        max_loss=max_loss, confidence=confidence,
    )  # fmt: skip


def _fit(
    cheap: Release, strong: Release, rows: Examples, *, max_loss: float, confidence: float
) -> tuple[HandOver, Costs]:
    """The hand-over, and what each model costs on these rows, measured in turns.

    Raises:
        ReleaseError: if both together would not be cheaper than the strong one alone.
    """
    with closing(cheap.predictor()) as first, closing(strong.predictor()) as second:
        handover = fitted(first, second, rows, max_loss=max_loss, confidence=confidence)
        costs = _costs(first, second, rows)
    if costs.both_s(handover.share) >= costs.strong_s:
        raise ReleaseError(
            t("Both together would take {both:.2f} ms for a text, and {strong} alone takes {alone:.2f}.",
              both=1000 * costs.both_s(handover.share), strong=strong.id, alone=1000 * costs.strong_s),
            t("Name a cheaper or a better first model, or allow more with --max-loss."),
        )  # fmt: skip
    return handover, costs


def _costs(cheap: Any, strong: Any, rows: Examples) -> Costs:
    texts = list(dict.fromkeys(rows.inputs))[:TIMED_TEXTS]
    taken: tuple[list[float], list[float]] = [], []
    for _ in range(REPETITIONS):  # both were warmed up by all rows
        for model, times in zip((cheap, strong), taken, strict=True):
            begun_s = time.perf_counter()
            model.scores(texts)
            times.append((time.perf_counter() - begun_s) / len(texts))
    return Costs(*map(median, taken))


def _prove(both: Cascade, dev: Examples, config: RunConfig, tools: Tools) -> tuple[dict[str, Any], Any]:
    """How answers hang on their neighbours, and whether those over HTTP are the same.

    Raises:
        ReleaseError: if not.
    """
    form: dict[str, Any] = {"accepted": True, "batch_effect": batch_effect(both, dev)}
    if tools.serve is None:
        return form, None
    expected = both.scores(dev.inputs)
    found = agree(both.task, dev.labels, expected, tools.serve(both, dev.inputs, expected))
    if not found.finite or found.loss > config.release.max_loss:
        raise ReleaseError(
            t("Answers over HTTP lose {loss:.4f} against the evaluated model.", loss=found.loss),
            t("Nothing was released. This is a bug worth reporting."),
        )
    return form, {"engine": ENGINE, **found.to_json()}


def _figures(handover: HandOver, costs: Costs, evaluation: dict[str, Any]) -> dict[str, Any]:
    """From when on the cheap model answers, at what cost, and the figure of the test split."""
    both_s = costs.both_s(handover.share)
    return {
        "handover": handover.to_json(),
        "seconds_per_text": {"cheap": costs.cheap_s, "strong": costs.strong_s, "both": both_s},
        "times_cheaper": costs.strong_s / both_s, "test": _on_test(evaluation),
    }  # fmt: skip


def _on_test(evaluation: dict[str, Any]) -> dict[str, float]:
    """Accuracy on test, and its difference from the strong model's with its paired 95 % interval."""
    settings, strong = evaluation["settings"], evaluation["reference"]["name"]
    compared = next(each for each in evaluation["comparisons"] if each["against"] == strong)
    ours, theirs = np.zeros(evaluation["rows"]), np.zeros(evaluation["rows"])
    ours[: compared["only_a_right"]] = 1
    theirs[len(theirs) - compared["only_b_right"] :] = 1
    found = difference_of_means(ours, theirs, metric="accuracy", seed=settings["seed"], resamples=settings["resamples"])
    return {
        "accuracy": evaluation["metrics"]["accuracy"]["value"],
        "strong": evaluation["reference"]["metrics"]["accuracy"]["value"],
        "difference": found.difference, "low": found.low, "high": found.high,
    }  # fmt: skip
