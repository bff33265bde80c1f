"""Other knowledge for a finished run: rules change without a new training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import TrainingError
from tuneloop.core.fsio import new_dir, remove_dir, write_text
from tuneloop.core.i18n import t
from tuneloop.inference.opening import read_settings
from tuneloop.inference.ruling import check_rules
from tuneloop.knowledge.attach import FOLDER, reading_of
from tuneloop.tasks import create_task
from tuneloop.training.knowledge import find_knowledge, keep_all
from tuneloop.training.run import Run, alone, open_run

if TYPE_CHECKING:
    from tuneloop.core.knowledge import KnowledgeConfig
    from tuneloop.core.paths import Workspace


def attach(run: Run, config: KnowledgeConfig, *, base: Path, workspace: Workspace) -> Run:
    """Put the knowledge that a configuration names into a run's model folder, in place of what it had.

    The evaluation of the run is of other answers from then on; the next release makes a new one.

    Args:
        base: the folder that relative files start from.

    Raises:
        ConfigError: if rules are wrong or do not fit the model.
        ModelError: if the embedding model of the documents is not there.
        TrainingError: if the run is not finished, or the model would read other texts than it was trained on.
    """
    if run.status != "finished":
        raise TrainingError(
            t("The run {name} is not finished.", name=run.id), t("Finish the run first: tuneloop tune --resume")
        )
    knowledge = find_knowledge(config, base=base, workspace=workspace, model=run.model_path)
    settings = read_settings(run.model_path)
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    check_rules(knowledge, task)
    if (knowledge.reading if knowledge else "") != reading_of(run.model_path):
        raise TrainingError(
            t("What the model {name} reads behind its texts would be other than in its training.", name=run.id),
            t("Keep lexicons, graph and knowledge.context as they were, or tune again."),
        )
    with alone(run.path):
        folder = run.model_path / FOLDER
        if knowledge is not None:
            with new_dir(folder, replace=True) as staging:
                keep_all(knowledge, staging)
        elif folder.exists():
            remove_dir(folder)
        changed = run.config.model_copy(update={"knowledge": config})
        plain = yaml.safe_dump(changed.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_text(run.path / "config.yaml", plain)
    return open_run(run.id, workspace)
