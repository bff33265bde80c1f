"""Writing a release: stage, export, prove, record, rename, and only then the row that makes it exist."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.config import ReleaseConfig, RunConfig
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.releases import index
from tuneloop.releases.agreement import compare_scores
from tuneloop.releases.card import card
from tuneloop.releases.manifest import write_manifest
from tuneloop.releases.read import Release


@dataclass(frozen=True)
class Tools:
    """What turns a model folder into forms and measures them; tests pass their own."""

    export: Callable[[Path, str, Path], list[Path]]
    open: Callable[[Path, str], Any]
    speed: Callable[[Any, list[Any]], float]


def write_release(
    run_path: Path,
    *,
    workspace: Workspace,
    config: RunConfig,
    dev: Examples,
    evaluation: dict[str, Any],
    quiet: bool = False,
    tools: Tools | None = None,
) -> Release:
    """The run's model as a new release NAME-N.

    Raises:
        ReleaseError: if the run has no finished model or dev is empty.
        StorageError: if the disk refuses; no release is then visible.
    """
    run = _run_info(run_path)
    if not len(dev):
        raise ReleaseError(t("The dev split is empty."), t("A release needs dev examples to check its forms."))
    workspace.releases.mkdir(parents=True, exist_ok=True)
    fsio.sweep(workspace.releases)
    release_id = index.next_id(config.name, workspace)
    path = workspace.releases / release_id
    with fsio.new_dir(path) as folder:
        shutil.copytree(run_path / "model", folder, dirs_exist_ok=True)
        forms, engine = _prove(folder, config.release, dev, tools or _real_tools())
        info = {
            "version": 1, "id": release_id, "run": run_path.name, "data_hash": str(run.get("snapshot_hash", "")),
            "created": datetime.now(UTC).isoformat(), "engine": engine, "forms": forms,
            "config": config.model_dump(mode="json"),
            "weights": {file.name: hash_file(file) for file in sorted(folder.glob("*.safetensors"))},
        }  # fmt: skip
        fsio.write_json(folder / "evaluation.json", evaluation)
        fsio.write_json(folder / "release.json", info)
        fsio.write_text(folder / "README.md", card(info, evaluation))
        write_manifest(folder)
    try:
        index.insert(index.row_of(info), workspace)
    except StorageError:
        # Not committed, so nobody can see the folder. An interrupt leaves it: the row may be there already.
        with suppress(StorageError):
            fsio.remove_dir(path)
        raise
    return Release(release_id, path, info)


def _prove(folder: Path, rules: ReleaseConfig, dev: Examples, tools: Tools) -> tuple[dict[str, Any], str]:
    """What was found about each engine, and the fastest of those that may be the default."""
    reference = tools.open(folder, "torch-fp32")
    try:
        forms: dict[str, Any] = {"torch-fp32": {"accepted": True, "texts_per_s": tools.speed(reference, dev.inputs)}}
        for form in rules.forms:
            forms[form] = _try_form(form, folder, rules, dev=dev, tools=tools, reference=reference)
    finally:
        reference.close()
    fit = [name for name, found in forms.items() if _may_be_default(found, rules)]
    return forms, max(fit, key=lambda name: forms[name]["texts_per_s"])


def _try_form(
    form: str, folder: Path, rules: ReleaseConfig, *, dev: Examples, tools: Tools, reference: Any
) -> dict[str, Any]:
    files = tools.export(folder, form, folder)
    predictor = tools.open(folder, form)
    try:
        found: dict[str, Any] = compare_scores(reference, predictor, dev).to_json()
        speed = tools.speed(predictor, dev.inputs)
    finally:
        predictor.close()
    if not all(math.isfinite(value) for value in found.values()) or found["loss"] > rules.max_loss:
        for file in files:
            file.unlink()
        return {"accepted": False, "reason": "loss", **{k: v if math.isfinite(v) else None for k, v in found.items()}}
    return {"accepted": True, "texts_per_s": speed, **found}


def _may_be_default(found: dict[str, Any], rules: ReleaseConfig) -> bool:
    return bool(found["accepted"]) and found.get("batch_effect", 0.0) <= rules.max_batch_effect


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


def _real_tools() -> Tools:
    from tuneloop.inference.export import export_form
    from tuneloop.inference.measure import measure_engine
    from tuneloop.inference.predictor import open_predictor

    return Tools(
        export=export_form,
        open=lambda folder, engine: open_predictor(folder, engine=engine),
        speed=lambda predictor, inputs: float(measure_engine(predictor, inputs[:256], seconds=2.0).texts_per_s),
    )
