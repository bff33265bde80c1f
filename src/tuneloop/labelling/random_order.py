"""Texts to label next in random order, where no other strategy is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Examples, Input
from tuneloop.labelling.base import Suggestion


def suggest(
    items: Sequence[Input],
    labelled: Examples | None,
    model: Any,
    *,
    strategy: str = "auto",
    count: int = 20,
    seed: int = 0,
    encoder: str = "",
) -> list[Suggestion]:
    """At most `count` of the texts, drawn without putting back.

    Raises:
        ConfigError: if another strategy is asked for.
    """
    if strategy not in ("auto", "random"):
        raise ConfigError(
            t("There is no {kind} called {name!r}.", kind="strategy", name=strategy),
            t("Choose one of: {known}.", known="random"),
        )
    rows = np.random.default_rng(seed).permutation(len(items))[:count]
    return [Suggestion(int(row), items[row], 0.0, "random") for row in rows]
