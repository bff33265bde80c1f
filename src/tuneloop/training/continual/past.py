"""What a model was made of: the folder of a release or run, its classes, and the rows it and those before it saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig, TaskConfig, load_config
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.data.examples import Examples, joined
from tuneloop.data.snapshot_folder import find_snapshot
from tuneloop.inference.opening import load_on, read_settings
from tuneloop.models.source import deciding_hashes
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.methods.base import Method
    from tuneloop.tasks.base import Task

KINDS = ("single_label_classification", "multi_label_classification")


@dataclass(frozen=True)
class Past:
    """The model that is gone on from.

    Args:
        name: of the release or run.
        folder: its Hugging Face folder.
        run: the id of the run that trained it.
        settings: its tuneloop.json.
    """

    name: str
    folder: Path
    run: str
    settings: dict[str, Any]
    workspace: Workspace

    @property
    def labels(self) -> tuple[str, ...]:
        """Its classes, in the order of its logits."""
        return tuple(self.settings["state"].get("labels", ()))

    @property
    def task(self) -> TaskConfig:
        """What it was made for."""
        return TaskConfig(type=self.settings["task"]["type"], **self.settings["task"]["options"])

    def with_new(self, labels: list[str]) -> list[str]:
        """Its classes as they stand, and behind them those of `labels` that it lacks."""
        return [*self.labels, *(label for label in labels if label not in self.labels)]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what its answers hang on."""
        return hash_json(deciding_hashes(self.folder))

    def rows(self, split: str) -> Examples:
        """The rows of train, dev or test of this model and of those it came from, the oldest first.

        Raises:
            ConfigError: if a run or its data is no longer in the workspace.
        """
        parts = [(run, self._snapshot(run, digest).split(split)) for run, digest in reversed(list(self._runs()))]
        return joined(*(replace(part, ids=[f"{run}:{number}" for number in part.ids]) for run, part in parts))

    @property
    def source(self) -> Path:
        """The folder of the weights that are gone on from: of the frozen ones, where what was learnt lies apart."""
        return self.folder / "base" if self.settings.get("apart") else self.folder

    @property
    def source_labels(self) -> list[str]:
        """The classes that the model in `source` answers with; none of a pretrained one."""
        return list(self.settings.get("base_labels") or []) if self.settings.get("apart") else list(self.labels)

    def load(self, method: Method, config: RunConfig, task: Task) -> PreTrainedModel:
        """The old model in float32, with outputs for the new classes too; drawn from torch's global generator."""
        pooling = self.settings["pooling"] if self.settings.get("apart") else config.model.pooling
        settings = {"base_labels": self.source_labels, "pooling": pooling}
        return load_on(self.source, method, task, settings | {"trust_remote_code": config.model.trust_remote_code})

    def _runs(self) -> Iterator[tuple[str, str]]:
        """Ids and data hashes of the runs behind this model, the newest first."""
        if not self.run:
            raise self._gone("?")
        run, seen = self.run, set[str]()
        while run and run not in seen:
            seen.add(run)
            folder = self.workspace.runs / run
            try:
                digest = str(json.loads((folder / "run.json").read_text(encoding="utf-8"))["snapshot_hash"])
            except (OSError, ValueError, KeyError):
                raise self._gone(run) from None
            yield run, digest
            before = load_config(folder / "config.yaml").continual.model
            run = run_of(before, self.workspace) if before else ""

    def _snapshot(self, run: str, digest: str) -> Any:
        try:
            return find_snapshot(digest, self.workspace)
        except DataError:
            raise self._gone(run) from None

    def _gone(self, run: str) -> ConfigError:
        return ConfigError(
            t("The data of the run {run}, from which {name} comes, is not in the workspace.", run=run, name=self.name),
            t(
                "Set continual.replay and continual.ewc to 0, continual.average to false; lwf and l2_sp need no rows, "
                "and adapters those of the first period alone, once."
            ),
        )


def find_past(config: RunConfig, workspace: Workspace) -> Past | None:
    """The model that `continual.model` names; None where it names none.

    Raises:
        ConfigError: if there is none, or it answers another question, or is kept apart from its pretrained model.
    """
    name = config.continual.model
    if not name:
        return None
    run = run_of(name, workspace)
    folder = folder_of(name, workspace)
    settings = read_settings(folder)
    _check(name, settings, config)
    return Past(name, folder, run, settings, workspace)


def folder_of(name: str, workspace: Workspace) -> Path:
    """The model's folder of a release, or else of a run; it need not be there."""
    folder = workspace.releases / name
    return folder if (folder / "tuneloop.json").is_file() else workspace.runs / name / "model"


def run_of(name: str, workspace: Workspace, *, setting: str = "continual.model") -> str:
    """The id of the run behind a release; a run's own.

    Args:
        setting: which names it.

    Raises:
        ConfigError: if there is no such release and no such finished run.
    """
    check_id(name)
    release = workspace.releases / name / "release.json"
    if release.is_file():
        return str(json.loads(release.read_text(encoding="utf-8")).get("run", ""))
    if (workspace.runs / name / "model" / "tuneloop.json").is_file():
        return name
    raise ConfigError(
        t("There is no release and no finished run {name} in {folder}.", name=name, folder=workspace.root),
        t("Set {setting} to one of those that tuneloop releases list shows, or to the id of a run.", setting=setting),
    )


def _check(name: str, settings: dict[str, Any], config: RunConfig) -> None:
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    if task.problem_type not in KINDS or task.layout != "whole" or not task.has_head or task.embeds:
        raise ConfigError(
            t("continual.model goes on from models that give each text classes; {name} does not.", name=name),
            t("Leave it out; model.source with the model's folder starts from its weights."),
        )
    if config.task.type != settings["task"]["type"]:
        raise ConfigError(
            t(
                "{name} was made for the task {old}, this run is for {new}.",
                name=name,
                old=task.name,
                new=config.task.type,
            ),
            t("Go on with the same task, or leave continual.model out."),
        )
    apart = settings.get("apart") and not config.continual.adapters
    if apart or settings.get("template"):
        raise ConfigError(
            t(
                "{name} is no ordinary model that could be trained further: its method keeps parts of its own.",
                name=name,
            ),
            t("Set continual.adapters: true, or train it again with method: full or lora (keep: merged)."),
        )
