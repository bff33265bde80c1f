"""Which labels are a praise and a blame: what negation turns around, and what tests of sentiment ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

NAMES = {
    "positive": ("positive", "pos", "正面", "积极", "正向", "好评"),
    "negative": ("negative", "neg", "负面", "消极", "负向", "差评"),
    "neutral": ("neutral", "neu", "中性", "中立", "中评"),
}
"""Labels that are understood without being told."""


def poles(labels: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """The label of each pole; empty unless there is one for positive and one for negative.

    Args:
        given: what the user says; it goes before the names of the labels.

    Raises:
        ConfigError: if a pole or a label does not exist.
    """
    for pole, label in given.items():
        if pole not in NAMES:
            raise ConfigError(
                t("audit robustness, poles: there is no pole called {pole}.", pole=pole),
                t("Known here: {known}.", known=", ".join(NAMES)),
            )
        if label not in labels:
            raise ConfigError(
                t("audit robustness, poles: the model has no label {label}.", label=label),
                t("Choose one of: {known}.", known=", ".join(labels)),
            )
    found = {pole: label for pole, names in NAMES.items() for label in labels if label.lower() in names}
    found |= given
    return found if {"positive", "negative"} <= found.keys() else {}
