"""The page on which two runs or releases are judged blindly, and what comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import storage_errors, write_json_lines, write_text
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import read_unlabelled
from tuneloop.evaluation.predictions import PREDICTIONS, read_predictions, write_predictions
from tuneloop.evaluation.preference_page import preference_page
from tuneloop.evaluation.preferences import Pair, chosen_rows, judged, pair_of, read_judgements
from tuneloop.inference.ruling import rulings, settle
from tuneloop.inference.writing import evaluated_with
from tuneloop.knowledge.attach import knowledge_hash
from tuneloop.releases.read import Release
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.training.run import Run


def write_page(
    first: Run | Release,
    second: Run | Release,
    *,
    rows: int,
    output: Path | None,
    workspace: Workspace,
    data: Path | None = None,
) -> Path:
    """Write the page for `rows` prompts at most; `preferences/` in the workspace by default. Returns its place.

    Args:
        data: a file of prompts, which both answer now; those of the test split, already answered, by default.

    Raises:
        ConfigError: if one of the two does not write.
        DataError: if they were not evaluated on the same prompts, or never differ.
    """
    pair = _pair(first, second, workspace, data)
    path = output or workspace.root / "preferences" / f"{'-'.join(pair.names)}-{pair.key[:8]}.html"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, preference_page(pair, most=rows))
    return path


def judge(
    first: Run | Release,
    second: Run | Release,
    judgements: Path,
    *,
    workspace: Workspace,
    data: Path | None = None,
    chosen: Path | None = None,
) -> dict[str, Any]:
    """What the judgements that a page has saved say: wins, ties, share with an exact interval, sign test, as JSON.

    `test_rows` counts the judged prompts that one of both was evaluated on: figures on them say too much of a run that
    learns from these judgements.

    Args:
        data: the file of prompts that the page was made of; None for the test split.
        chosen: where prompts with the preferred and the other answer go, as JSON lines.

    Raises:
        DataError: if the file is of another pair or damaged.
    """
    pair = _pair(first, second, workspace, data)
    found = read_judgements(judgements, pair)
    if chosen is not None:
        write_json_lines(chosen, chosen_rows(pair, found))
    tested = _tested(first) | _tested(second)
    rows = [pair.by_id[name] for name in found]
    asked = comparables(Examples([row.id for row in rows], [row.prompt for row in rows]), prompts=True)
    return judged(pair, found) | {"test_rows": sum(each in tested for each in asked)}


def _pair(first: Run | Release, second: Run | Release, workspace: Workspace, data: Path | None) -> Pair:
    for each in (first, second):
        if not task_class(_config(each).task).generates:
            raise ConfigError(
                t("{name} does not write: its answers are right or wrong, not preferred.", name=each.id),
                t("Compare such models with: tuneloop evaluate --against RELEASE"),
            )
    a, b = (read_predictions(_answers(each, workspace, data)) for each in (first, second))
    return pair_of((first.id, second.id), a, b)


def _config(target: Run | Release) -> RunConfig:
    return parse_config(target.info["config"]) if isinstance(target, Release) else target.config


def _tested(target: Run | Release) -> set[str]:
    """The prompts that a model was evaluated on, as they are compared."""
    path = target.path / PREDICTIONS
    return set(comparables(read_predictions(path).examples, prompts=True)) if path.is_file() else set()


def _answers(target: Run | Release, workspace: Workspace, data: Path | None) -> Path:
    """The file with a model's answers: to its test split, or to a file of prompts, which it answers once."""
    if data is None:
        return target.path / PREDICTIONS
    config = _config(target)
    examples = read_unlabelled(str(data), config.data, base=Path.cwd(), task=task_class(config.task))
    folder = target.path if isinstance(target, Release) else target.model_path
    asked = hash_json([list(examples.texts), knowledge_hash(folder)])[:12]
    path = workspace.root / "preferences" / "answers" / f"{target.id}-{asked}.parquet"
    if not path.is_file():
        predictor = target.predictor() if isinstance(target, Release) else target.handle(evaluated_with(config.task))
        try:
            alone = predictor.scores(examples.inputs)
            outcomes = rulings(predictor, examples.inputs, alone)
            task = predictor.task
        finally:
            predictor.close()
        scores = alone if outcomes is None else settle(task, alone, [each.answer for each in outcomes])
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_predictions(path, task, replace(examples, labels=[""] * len(examples)), scores)
    return path
