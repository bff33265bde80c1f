"""How likely each class is, from answers of people who err each in their own way.

Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm" (1979), as crowd-kit
computes it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.labelling.kinds import Kind
from tuneloop.labelling.store import Answer


def posteriors(kind: Kind, answers: Mapping[str, Sequence[Answer]]) -> dict[str, dict[str, float]]:
    """The probability of each class, by text.

    Raises:
        ConfigError: if labels are not one class each.
        MissingExtraError: if crowd-kit is not installed.
    """
    if kind != "class":
        raise ConfigError(t("dawid-skene is for labels of one class."), t("Take --adjudicated majority."))
    try:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene
    except ImportError:
        raise MissingExtraError("crowd-kit", "label") from None
    if not answers:
        return {}
    rows = [(item, each.annotator, each.label) for item, given in answers.items() for each in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how it calls pandas is no matter of whoever asks for labels
        found = DawidSkene(n_iter=100).fit_predict_proba(pd.DataFrame(rows, columns=["task", "worker", "label"]))
    names = [str(name) for name in found.columns]
    return {
        str(item): dict(zip(names, map(float, row), strict=True))
        for item, row in zip(found.index, found.to_numpy(), strict=True)
    }
