"""Fitting and calibrating, when a release is made, what tells its server to abstain."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.abstaining.abstainer import Abstainer, Calibrated
from tuneloop.abstaining.choice import fit_detectors, ranked
from tuneloop.abstaining.conformal import calibrate
from tuneloop.abstaining.folder import keep_abstainer
from tuneloop.abstaining.settings import check_rows, check_task
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Examples
from tuneloop.data.outside_texts import as_inputs, outside_sets
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.abstaining.base import Detector, Reading
    from tuneloop.core.config import RunConfig
    from tuneloop.inference.predictor import Predictor

TRAIN_ROWS = 4000
"""Training texts that detectors are fitted to at most."""

OUTSIDE_ROWS = 200
"""Texts of each set from outside that they are compared on."""

FALLBACK = "energy"
"""What judges where an engine tells no vectors and a detector that needs them was asked for by name."""


def add_abstaining(
    model: Path, config: RunConfig, *, train: Examples, dev: Examples, base: Path, quiet: bool = False
) -> dict[str, Any]:
    """Write the abstainer that the configuration wants into a model's folder; what release.json says of it.

    Detectors learn from train. Thresholds and sets come from dev, which also chose the weights and the temperature:
    what they promise holds as far as dev is like texts to come, and `audit` measures it on test.

    Args:
        base: the folder that files of texts from outside start from.

    Raises:
        ConfigError: if the task has no classes to waver between.
        DataError: if texts from outside cannot be read.
        ReleaseError: if dev has too few rows.
    """
    wanted = config.release.abstain
    from tuneloop.inference.predictor import open_predictor

    check_task(wanted, task_class(config.task))
    check_rows(wanted, len(dev))
    with closing(open_predictor(model)) as predictor, progress(t("learning when to abstain"), 3, quiet=quiet) as bar:
        reading = predictor.read(dev.inputs)
        bar.update(1)
        detectors, figures = _detectors(predictor, config, train, dev, reading, base)
        bar.update(2)
        numbers = predictor.task.targets(dev.labels)
        sets = None if wanted.coverage is None else calibrate(reading.probabilities, numbers, wanted.coverage)
        calibrated = tuple(Calibrated.on(each, reading) for each in detectors)
        keep_abstainer(Abstainer(calibrated, wanted.false_alarms, sets), model)
        bar.update(3)
    return {
        "detectors": [each.name for each in detectors],
        "needs_vectors": bool(detectors) and detectors[0].needs == "vectors",
        "false_alarms": wanted.false_alarms, "coverage": wanted.coverage, "dev_auroc": figures, "rows": len(dev),
    }  # fmt: skip


def _detectors(
    predictor: Predictor, config: RunConfig, train: Examples, dev: Examples, reading: Reading, base: Path
) -> tuple[list[Detector], dict[str, float]]:
    """The detector to use, behind it one for engines without vectors, and by which figures it was chosen."""
    wanted = config.release.abstain
    if wanted.detector == "none":
        return [], {}
    names = () if wanted.detector == "auto" else tuple(dict.fromkeys((wanted.detector, FALLBACK)))
    rows = np.random.default_rng(config.seed).permutation(len(train))[:TRAIN_ROWS].tolist()
    learnt = train.select(sorted(rows))
    fitted = fit_detectors(
        predictor.read(learnt.inputs), predictor.task.targets(learnt.labels), seed=config.seed, names=names
    )
    figures: dict[str, float] = {}
    if wanted.detector == "auto":
        sets = outside_sets(
            wanted.outside, dev=dev.texts, test=dev.texts, own=[*train.texts, *dev.texts], base=base, rows=OUTSIDE_ROWS
        )
        pairs = predictor.task.takes_pairs
        foreign = {each.name: predictor.read(as_inputs(each.choosing, pairs=pairs)) for each in sets}
        figures = ranked(fitted, reading, foreign)
        names = tuple(figures)
    there = [fitted[name] for name in names if name in fitted]
    plain = next((each for each in there if each.needs != "vectors"), None)
    best = there[0]
    return [best] if plain is None or plain is best else [best, plain], figures
