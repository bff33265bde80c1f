"""The page on which two runs or releases are judged blindly, and what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import storage_errors, write_text
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.evaluation.predictions import PREDICTIONS, read_predictions
from tuneloop.evaluation.preference_page import preference_page
from tuneloop.evaluation.preferences import Pair, chosen_rows, judged, pair_of, read_judgements
from tuneloop.releases.read import Release
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.training.run import Run


def write_page(
    first: Run | Release, second: Run | Release, *, rows: int, output: Path | None, workspace: Workspace
) -> Path:
    """Write the page for `rows` test prompts at most; `preferences/` in the workspace by default. Returns its place.

    Raises:
        ConfigError: if one of the two does not write.
        DataError: if they were not evaluated on the same prompts, or never differ.
    """
    pair = _pair(first, second)
    path = output or workspace.root / "preferences" / f"{'-'.join(pair.names)}-{pair.key[:8]}.html"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, preference_page(pair, most=rows))
    return path


def judge(
    first: Run | Release, second: Run | Release, judgements: Path, *, chosen: Path | None = None
) -> dict[str, Any]:
    """What the judgements that a page has saved say: wins, ties, share with an exact interval, sign test, as JSON.

    Args:
        chosen: where prompts with the preferred and the other answer go, as JSON lines.

    Raises:
        DataError: if the file is of another pair or damaged.
    """
    pair = _pair(first, second)
    found = read_judgements(judgements, pair)
    if chosen is not None:
        write_text(chosen, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in chosen_rows(pair, found)))
    return judged(pair, found)


def _pair(first: Run | Release, second: Run | Release) -> Pair:
    for each in (first, second):
        config = parse_config(each.info["config"]) if isinstance(each, Release) else each.config
        if not task_class(config.task).generates:
            raise ConfigError(
                t("{name} does not write: its answers are right or wrong, not preferred.", name=each.id),
                t("Compare such models with: tuneloop evaluate --against RELEASE"),
            )
    a, b = (read_predictions(each.path / PREDICTIONS) for each in (first, second))
    return pair_of((first.id, second.id), a, b)
