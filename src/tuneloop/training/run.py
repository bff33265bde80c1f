"""A run: from a configuration and three splits to a trained Hugging Face folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from tuneloop.core.config import RunConfig, load_config
from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.core.fsio import new_dir, remove_dir, sweep, write_json, write_text
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.methods import create_method
from tuneloop.methods.base import GradientMethod
from tuneloop.models.load import head_of, load_classifier
from tuneloop.models.source import resolve
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import create_task
from tuneloop.training.loop import Split, train

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Examples
    from tuneloop.inference.predictor import Predictor
    from tuneloop.tasks.base import Task


class Snapshot(Protocol):
    """What a run needs of a data snapshot."""

    @property
    def hash(self) -> str:
        """Content hash of the splits."""

    @property
    def labels(self) -> Sequence[str]:
        """Class names, sorted."""

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test."""


@dataclass(frozen=True)
class Run:
    """A run's folder and what its files say."""

    path: Path
    info: dict[str, Any]

    @property
    def id(self) -> str:
        """Its name, NAME-YYYYMMDD-HHMMSS-XXXX."""
        return self.path.name

    @property
    def status(self) -> str:
        """running or finished."""
        return str(self.info["status"])

    @property
    def snapshot_hash(self) -> str:
        """The data it was trained on."""
        return str(self.info["snapshot_hash"])

    @property
    def config(self) -> RunConfig:
        """Its configuration."""
        return load_config(self.path / "config.yaml")

    @property
    def model_path(self) -> Path:
        """The Hugging Face folder."""
        return self.path / "model"

    def handle(self, engine: str = "torch-fp32") -> Predictor:
        """The trained model, ready to answer."""
        from tuneloop.inference.predictor import open_predictor

        return open_predictor(self.model_path, engine=engine)


def tune(
    config: RunConfig, *, snapshot: Snapshot, workspace: Workspace, resume: str | None = None, quiet: bool = False
) -> Run:
    """Train and save the model that was best on dev; only the train and dev splits are read.

    Args:
        resume: the id of an unfinished run of the same configuration, or "latest".

    Raises:
        ConfigError: if the method is not driven by gradients.
        TrainingError: if the run to resume is of another configuration or data.
    """
    import torch

    task = create_task(config.task, {"labels": list(snapshot.labels)})
    method = create_method(config.method)
    if not isinstance(method, GradientMethod):
        raise ConfigError(
            t("The method {name} is not trained step by step.", name=config.method.type), t("Choose method: full.")
        )
    run = _begin(config, snapshot, workspace) if resume is None else open_run(resume, workspace)
    if run.status == "finished":
        return run
    source = resolve(config.model.source)
    tokenizer = Tokenizer(source, config.model.max_tokens)
    rows = {name: snapshot.split(name) for name in ("train", "dev")}
    task.learn(rows["train"].labels)
    torch.manual_seed(config.seed)
    model = load_classifier(
        source, task, dropout=task.options.dropout, trust_remote_code=config.model.trust_remote_code
    )
    method.prepare(model)
    splits = {name: Split(tokenizer.encode(part.inputs), part.labels) for name, part in rows.items()}
    place = train(
        model,
        task,
        method,
        train_split=splits["train"],
        dev_split=splits["dev"],
        config=config.training,
        seed=config.seed,
        precision=choose_precision(config.training.precision),
        folder=run.path,
        fingerprint=config.fingerprint() | {"data": snapshot.hash},
        quiet=quiet,
    )
    model = method.merge(model)
    task.fold(head_of(model))
    _save_model(run.path / "model", model, task, source, config)
    info = run.info | {"status": "finished", "steps": place.step, "best_step": place.best_step}
    write_json(run.path / "run.json", info | {"best_dev": {task.primary_metric: place.best}})
    return open_run(run.id, workspace)


def open_run(name: str, workspace: Workspace) -> Run:
    """The run with this id, or the newest for "latest".

    Raises:
        TrainingError: if there is none.
    """
    if name == "latest":
        found = max(workspace.runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
        path = found.parent if found else workspace.runs / "latest"
    else:
        path = workspace.runs / check_id(name)
    try:
        return Run(path, json.loads((path / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise TrainingError(
            t("There is no run {name} in {folder}.", name=name, folder=workspace.runs),
            t("Start one first, or check the workspace."),
        ) from None


def choose_precision(wanted: str) -> str:
    """fp32 or bf16; auto takes bf16 where the processor computes in it."""
    import torch

    if wanted != "auto":
        return wanted
    return "bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"


def _begin(config: RunConfig, snapshot: Snapshot, workspace: Workspace) -> Run:
    now = datetime.now(UTC)
    path = workspace.runs / f"{config.name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    info = {
        "status": "running",
        "snapshot_hash": snapshot.hash,
        "started": now.isoformat(timespec="seconds"),
        "environment": _environment(),
    }
    with new_dir(path) as staging:
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_text(staging / "config.yaml", text)
        write_json(staging / "run.json", info)
    return Run(path, info)


def _environment() -> dict[str, str | int]:
    from importlib.metadata import version
    from platform import python_version

    versions = {name: version(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
    return {"python": python_version(), "cores": os.cpu_count() or 1} | versions


def _save_model(path: Path, model: PreTrainedModel, task: Task, source: Path, config: RunConfig) -> None:
    """Write the folder that transformers opens, with what tuneloop adds."""
    sweep(path.parent)
    if path.exists():
        remove_dir(path)
    with new_dir(path) as staging:
        model.save_pretrained(staging)
        for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
            if (source / name).is_file():
                (staging / name).write_bytes((source / name).read_bytes())
        write_json(
            staging / "tuneloop.json",
            {
                "task": {"type": config.task.type, "options": config.task.options},
                "state": task.state,
                "max_tokens": config.model.max_tokens,
                "model_source": config.model.source,
                "trust_remote_code": config.model.trust_remote_code,
                "temperature": 1.0,
            },
        )
