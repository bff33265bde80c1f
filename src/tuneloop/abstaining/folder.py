"""An abstainer in a model's folder: tensors as safetensors, all else as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tuneloop.abstaining import DETECTORS
from tuneloop.abstaining.abstainer import Abstainer, Calibrated
from tuneloop.abstaining.base import FloatArray
from tuneloop.abstaining.conformal import LabelSets
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.fsio import new_file, write_json
from tuneloop.core.i18n import t

FOLDER, ABOUT, TENSORS = "abstaining", "abstaining.json", "abstaining.safetensors"
INSIDE = "inside"
"""The tensor with a detector's scores of dev."""


def keep_abstainer(abstainer: Abstainer, model: Path) -> None:
    """Write it into a model's folder."""
    from safetensors.numpy import save_file

    folder = model / FOLDER
    folder.mkdir(exist_ok=True)
    tensors: dict[str, FloatArray] = {}
    for each in abstainer.detectors:
        named = {**each.detector.tensors, INSIDE: each.inside}
        tensors |= {f"{each.detector.name}.{name}": values for name, values in named.items()}
    with new_file(folder / TENSORS) as path:
        save_file(tensors, path)
    sets = abstainer.sets
    about = {
        "version": 1,
        "detectors": [each.detector.name for each in abstainer.detectors],
        "false_alarms": abstainer.false_alarms,
        "sets": None if sets is None else {"coverage": sets.coverage, "least": sets.least, "rows": sets.rows},
    }
    write_json(folder / ABOUT, about)


def open_abstainer(model: Path) -> Abstainer | None:
    """The abstainer in a model's folder; None if it has none.

    Raises:
        ModelError: if it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = model / FOLDER
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
        detectors = tuple(_calibrated(name, tensors) for name in about["detectors"])
        sets = None if about["sets"] is None else LabelSets(**about["sets"])
        return Abstainer(detectors, float(about["false_alarms"]), sets)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, ConfigError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=folder, error=error), t("Release the run again.")
        ) from None


def _calibrated(name: str, tensors: dict[str, Any]) -> Calibrated:
    own = {key.partition(".")[2]: values for key, values in tensors.items() if key.startswith(f"{name}.")}
    return Calibrated(DETECTORS.get(name).restore(own), own[INSIDE])
