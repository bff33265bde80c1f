"""Writing a release: stage, export, prove, record, rename, and only then the row that makes it exist."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.project import base_of
from tuneloop.data.examples import Examples
from tuneloop.data.snapshot_folder import find_snapshot
from tuneloop.inference.writing import evaluated_with
from tuneloop.models.load import APART, is_encoder_decoder
from tuneloop.models.shots import kept_texts
from tuneloop.releases import index
from tuneloop.releases.abstaining import add_abstaining
from tuneloop.releases.auditing import write_audit
from tuneloop.releases.calibration import calibration_rows
from tuneloop.releases.card import card
from tuneloop.releases.exits import add_exits
from tuneloop.releases.lineage import lineage
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.proof import Proof, Tools, real_tools
from tuneloop.releases.read import Release
from tuneloop.tasks import task_class

EVIDENCE = ("predictions.parquet", "report.html")
"""What the evaluation of the run left beside its model."""


def write_release(
    run_path: Path,
    *,
    workspace: Workspace,
    config: RunConfig,
    dev: Examples,
    evaluation: dict[str, Any],
    train: Callable[[], Examples] | None = None,
    audit: dict[str, Any] | None = None,
    quiet: bool = False,
    tools: Tools | None = None,
) -> Release:
    """The run's model as a new release NAME-N.

    Args:
        train: gives the rows of train, for forms that are calibrated; without it none is.
        audit: the audit that it passed, which stands in it as audit.json and audit.html.

    Raises:
        ReleaseError: if the run has no finished model, dev is empty, or served answers differ from the evaluated ones.
        StorageError: if the disk refuses; no release is then visible.
    """
    run = _run_info(run_path)
    if not len(dev):
        raise ReleaseError(t("The dev split is empty."), t("A release needs dev examples to check its forms."))
    release_id = index.next_id(config.name, workspace)
    path = workspace.releases / release_id
    with fsio.new_dir(path) as folder:
        fsio.copy_dir(run_path / "model", folder)
        abstaining = _abstaining(folder, config, dev, str(run.get("snapshot_hash", "")), workspace, quiet=quiet)
        exits = _exits(folder, config, str(run.get("snapshot_hash", "")), workspace, quiet=quiet)
        reference = evaluated_with(config.task)
        vectors = bool(abstaining) and abstaining["abstaining"]["needs_vectors"]
        calibration = partial(calibration_rows, train, config.seed) if train else None
        proof = Proof(
            folder, config.release, dev, tools or real_tools(), reference=reference, vectors=vectors,
            calibration=calibration,
        )  # fmt: skip
        forms, engine = proof.run(quiet=quiet)
        info = {
            "version": 1, "id": release_id, "run": run_path.name, "data_hash": str(run.get("snapshot_hash", "")),
            "created": datetime.now(UTC).isoformat(), "engine": engine, "forms": forms,
            "served": proof.serve(engine), "config": config.model_dump(mode="json"),
            "apart": (folder / APART).is_file(), "training_texts": kept_texts(folder),
            "encoder_decoder": _reads_apart(folder, config),
            "lineage": lineage(run_path.name, run, config, workspace),
            "flops": run.get("flops"),
            "weights": {file.name: hash_file(file) for file in sorted(folder.glob("*.safetensors"))},
        } | abstaining | exits  # fmt: skip
        for name in EVIDENCE:
            if (run_path / name).is_file():
                shutil.copyfile(run_path / name, folder / name)
        fsio.write_json(folder / "evaluation.json", evaluation)
        if audit is not None:
            write_audit(folder, audit)
        fsio.write_json(folder / "release.json", info)
        fsio.write_text(folder / "README.md", card(info, evaluation))
        write_manifest(folder)
    return enter(info, path, workspace)


def enter(info: dict[str, Any], path: Path, workspace: Workspace) -> Release:
    """The finished folder as a release: its row, by which it exists.

    Raises:
        StorageError: if the disk refuses; the folder is then gone.
    """
    release_id = str(info["id"])
    try:
        index.insert(index.row_of(info), workspace)
    except StorageError:
        # A row whose flush failed may be there after a crash: the folder goes only when it cannot come back.
        # An interrupt leaves both: the row may be there already.
        with suppress(StorageError):
            index.withdraw(release_id, workspace)
            fsio.remove_dir(path)
        raise
    return Release(release_id, path, info)


def _run_info(run_path: Path) -> dict[str, Any]:
    try:
        info = json.loads((run_path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        info = None
    if not isinstance(info, dict) or not (run_path / "model").is_dir():
        raise ReleaseError(
            t("{path} holds no finished model.", path=run_path), t("Finish the run first: tuneloop tune --resume")
        )
    return info


def _abstaining(
    folder: Path, config: RunConfig, dev: Examples, data_hash: str, workspace: Workspace, *, quiet: bool
) -> dict[str, Any]:
    """What release.json says of when to abstain; nothing where that was not asked for."""
    if not config.release.abstain.used:
        return {}
    train = find_snapshot(data_hash, workspace).split("train")
    base = base_of(config, workspace.root)
    return {"abstaining": add_abstaining(folder, config, train=train, dev=dev, base=base, quiet=quiet)}


def _exits(folder: Path, config: RunConfig, data_hash: str, workspace: Workspace, *, quiet: bool) -> dict[str, Any]:
    """What release.json says of where texts leave early; nothing where that was not asked for."""
    if not config.release.exits.layers:
        return {}
    data, base = find_snapshot(data_hash, workspace), base_of(config, workspace.root)
    return {"exits": add_exits(folder, config, data, base=base, quiet=quiet)}


def _reads_apart(folder: Path, config: RunConfig) -> bool:
    """Whether the model writes what its encoder has read."""
    writes = task_class(config.task).generates and not (folder / APART).is_file()
    return writes and is_encoder_decoder(folder)
