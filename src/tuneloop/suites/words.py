"""The figures of a suite in cells, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.evaluation.names import figure_text
from tuneloop.suites.figures import figure_name


def headers() -> list[str]:
    """The columns of `rows`."""
    return [t("task"), t("rows of dev"), t("metric"), t("figure"), t("rows of train")]


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """One row for each official figure."""
    return [
        [
            result["task"] if len(result["dev"]) == 1 else f"{result['task']} {part['name']}",
            f"{part['rows']:,}",
            figure_name(metric),
            figure_text(figure),
            f"{result['train_rows']:,}",
        ]
        for result in found["tasks"]
        for part in result["dev"]
        for metric, figure in part["metrics"].items()
    ]
