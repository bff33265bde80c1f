"""int8 that is calibrated where dynamic is not enough: on which texts, when, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples
from tuneloop.inference.engine import DYNAMIC, STATIC, Batch

TEXTS = 256
"""Texts of train, at most, on which activation ranges are measured."""


def calibration_rows(split: Callable[[], Examples], seed: int) -> Examples:
    """Up to `TEXTS` rows of train, which `split` gives, drawn by the seed of the run."""
    train = split()
    return train.select(np.random.default_rng(seed).permutation(len(train))[:TEXTS].tolist())


def texts_in(batches: Sequence[Batch]) -> int:
    """How many texts the model reads in these batches."""
    return sum(len(batch["input_ids"]) for batch in batches)


def not_enough(forms: dict[str, Any], max_batch_effect: float) -> str:
    """Why dynamic int8 is not enough: "loss" or "batch_effect"; empty where it is, was not tried or cannot run.

    Args:
        forms: what was found about each engine so far.
    """
    found = forms.get(DYNAMIC)
    if found is None or STATIC in forms or found.get("reason") == "error":
        return ""
    if not found["accepted"]:
        return str(found["reason"])
    return "batch_effect" if found["batch_effect"] > max_batch_effect else ""


def told(forms: dict[str, Any]) -> Iterator[str]:
    """A sentence for each thing that release.json says of a calibrated form."""
    found = forms.get(STATIC, {})
    if calibration := found.get("calibration"):
        yield t("{form}: its ranges were measured on {texts} texts of train.", form=STATIC, texts=calibration["texts"])
    if why := found.get("instead_of"):
        reasons = {"loss": t("loses too much"), "batch_effect": t("depends on the neighbours of a text in a batch")}
        yield t("{form} was tried because {other} {reason}.", form=STATIC, other=DYNAMIC, reason=reasons[why[DYNAMIC]])
