"""What each step of an update is: an ordinary run whose configuration is the release's, going on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig, load_config, parse_config
from tuneloop.core.errors import ConfigError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.updating import Step
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.loop.rows import NewRows
from tuneloop.training.run import Run, open_run, tune

METHODS: dict[Step, dict[str, Any]] = {
    "recalibrate": {"type": "probe", "recalibrate": True},
    "head": {"type": "probe"},
    "adapter": {"type": "lora"},
    "full": {"type": "full"},
}
"""How the model changes in each step: one number for each class, the last layer, thin matrices, everything."""


def step_config(config: RunConfig, step: Step, rows: NewRows, *, release: str, base: Path) -> RunConfig:
    """The configuration of the run that a step is.

    Args:
        config: the release's, with the sections `update` and `continual` that hold.
        release: the id of what is gone on from.
        base: the folder that paths of the configuration start from.
    """
    plain = config.model_dump(mode="json")
    shares = {"dev": config.update.dev, "test": config.update.test, "train": None}
    path = rows.path.resolve()
    source = path.relative_to(base.resolve()) if path.is_relative_to(base.resolve()) else path
    plain["data"] |= {
        "source": str(source), "dev": None, "test": None, "format": "jsonl", "encoding": "auto",
        "columns": rows.columns.to_json(), "split": plain["data"]["split"] | shares,
    }  # fmt: skip
    plain["continual"] |= {"model": release}
    if step in ("recalibrate", "head"):  # these hold weights that do not move here
        plain["continual"] |= {"ewc": 0.0, "l2_sp": 0.0, "lwf": 0.0}
    if step == "recalibrate":
        plain["continual"] |= {"average": False}
    plain["method"] = _method(step, config)
    return parse_config(plain)


def _method(step: Step, config: RunConfig) -> dict[str, Any]:
    """The release's own settings of the method, where it was made with that."""
    wanted = METHODS[step]
    kept = {"keep": "apart" if config.continual.adapters else "merged"} if step == "adapter" else {}
    if config.method.type != wanted["type"] or step == "recalibrate":
        return wanted | kept
    own = {"type": config.method.type, **config.method.options}
    return own | kept | ({"recalibrate": False} if step == "head" else {})


def refuse_recalibration(classes: list[str], current: tuple[str, ...]) -> None:
    """Nothing, if the release has weights for every class.

    Raises:
        ConfigError: if not.
    """
    new = [name for name in classes if name not in current]
    if new:
        raise ConfigError(t("The class {name} is new: it has no weights to re-calibrate.", name=new[0]))


def train(
    config: RunConfig, snapshot: Snapshot, *, workspace: Workspace, base: Path, quiet: bool = False
) -> tuple[Run, bool]:
    """The run of these settings and rows, and whether it was finished before; one that was stopped goes on.

    Raises:
        ConfigError: if the method cannot be trained so.
        InterruptedTrainingError: after Ctrl-C; the same call goes on.
    """
    begun = _begun(config, snapshot, workspace)
    if begun is not None and begun.status == "finished":
        return begun, True
    resume = None if begun is None else begun.id
    return tune(config, snapshot=snapshot, workspace=workspace, base=base, resume=resume, quiet=quiet), False


def _begun(config: RunConfig, snapshot: Snapshot, workspace: Workspace) -> Run | None:
    """The run that was begun with the same settings and rows, a finished one first."""
    wanted, unfinished = config.fingerprint(), None
    for path in sorted(workspace.runs.glob(f"{config.name}-*/run.json")):
        try:
            run = open_run(path.parent.name, workspace)
            same = run.snapshot_hash == snapshot.hash and load_config(run.path / "config.yaml").fingerprint() == wanted
        except (TuneloopError, KeyError):  # of another version, or damaged: it cannot be gone on with
            continue
        if same and run.status == "finished":
            return run
        unfinished = run if same else unfinished
    return unfinished
