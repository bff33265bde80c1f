"""A run: from a configuration and three splits to a trained Hugging Face folder."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from tuneloop.abstaining.settings import check_task
from tuneloop.core.config import RunConfig, load_config
from tuneloop.core.errors import ModelError, TrainingError
from tuneloop.core.fsio import new_dir, new_file, remove_dir, to_json, write_text
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.paths import Workspace, check_id
from tuneloop.core.provenance import code_version, environment
from tuneloop.inference.exits import check_exits
from tuneloop.methods import create_method
from tuneloop.methods.base import GradientMethod, SolvedMethod, count_parameters
from tuneloop.models.device import choose_device, peak_memory_bytes
from tuneloop.models.flops import forward_flops
from tuneloop.models.forward import predict_logits
from tuneloop.models.load import head_of, wants_own_code
from tuneloop.models.pooling import mean_layer
from tuneloop.tasks import task_class
from tuneloop.tasks.temperature import fit_temperature
from tuneloop.training.choice import settle
from tuneloop.training.continual.average import scaled
from tuneloop.training.continual.fisher import write_fisher
from tuneloop.training.distributed.checks import check_alike, check_parts, check_seen
from tuneloop.training.distributed.ranks import Ranks
from tuneloop.training.logs import MetricsLog
from tuneloop.training.loop import train
from tuneloop.training.prepare import Prepared, Snapshot, prepare
from tuneloop.training.reporters import open_reporters
from tuneloop.training.save import save_adapter, save_model
from tuneloop.training.steps import Steps
from tuneloop.training.utilisation import utilisation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.inference.predictor import Predictor


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
        """unfinished (at work, or stopped and to be resumed) or finished."""
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
        """The trained model, ready to answer.

        Raises:
            ModelError: if a file is missing or damaged, or the rules and lexicons that belong to it.
        """
        from tuneloop.inference.predictor import open_predictor
        from tuneloop.knowledge.attach import FOLDER as KNOWLEDGE

        if self.config.knowledge.used and not (self.model_path / KNOWLEDGE).is_dir():
            raise ModelError(
                t("The knowledge of the run {name} is missing.", name=self.id),
                t("Attach it again: tuneloop knowledge attach {name}", name=self.id),
            )
        return open_predictor(self.model_path, engine=engine)


def tune(
    config: RunConfig,
    *,
    snapshot: Snapshot,
    workspace: Workspace,
    names: Workspace | None = None,
    base: Path | None = None,
    resume: str | None = None,
    ranks: Ranks | None = None,
    quiet: bool = False,
    judged: Callable[[int, float], None] | None = None,
) -> Run:
    """Train and save the model that was best on dev; of test no more is read than which texts to leave out elsewhere.

    Args:
        names: where a teacher, an attacked release and an index of documents are looked up; `workspace` by default.
        base: the folder that a relative model.source starts from.
        resume: the id of a run of the same configuration and data, or "latest"; a finished one is
            returned as it is.
        ranks: the processes that train together, each of which calls this; the first one writes.
        judged: called with the number of each evaluation on dev, from 1, and its figure; what it raises ends the run.

    Raises:
        ConfigError: if the method cannot be trained.
        TrainingError: if the run to resume is of another configuration or data, or at work in another process.
        InterruptedTrainingError: after Ctrl-C; the run can be resumed.
    """
    create_method(config.method)  # a wrong name or option, before anything is written
    check_task(config.release.abstain, task_class(config.task))
    ranks = ranks or Ranks()
    resume = ranks.told(lambda: _which(resume, ranks, workspace))
    found = None if resume is None else open_run(resume, workspace)
    config, why = settle(config, snapshot, base=base, earlier=found and found.config.method)
    if why and not quiet:
        print(why, file=sys.stderr, flush=True)
    if ranks.size > 1:
        check_parts(config)
    run = None if found is None else _same_run(found, config, snapshot)
    if run and run.status == "finished":
        return run
    # one GPU alone may have no room for the model that all share out
    put_on = "cpu" if ranks.size > 1 and config.training.shard else ""
    with ranks.in_turn():
        ready = prepare(
            config, snapshot, base=base, cache=workspace.cache, workspace=names or workspace, put_on=put_on, quiet=quiet
        )
    check_exits(config.release, ready.task, ready.model, rules=config.knowledge.rules)
    check_alike(ranks, [config.fingerprint(), snapshot.hash, ready.precision, ready.beside])
    if run is None:
        name = ranks.told(lambda: _begin(config, snapshot, workspace, ready, why, ranks).id)
        check_seen(ranks, workspace.runs / name / "run.json")
        run = open_run(name, workspace)
    if not ranks.first:
        _fit(ready, config, run=run, cache=workspace.cache, ranks=ranks, quiet=True, judged=None)
        ranks.wait()  # until the first one has written the model
        return open_run(run.id, workspace)
    with alone(run.path):
        figures = _fit(ready, config, run=run, cache=workspace.cache, ranks=ranks, quiet=quiet, judged=judged)
        figures |= ready.method.facts(ready.model)
        ready = replace(ready, dev=ready.method.reread(ready.dev))
        # an adapter on a model that was given a layer for its mean would be read without that layer by PEFT alone
        adapter = ready.method.adapter(ready.model) if ready.past or mean_layer(ready.model) is None else None
        model = ready.method.merge(ready.model) if ready.method.mergeable else ready.model
        figures |= _gone_on(model, ready, run.path)
        if ready.task.has_head:
            ready.task.fold(head_of(model))
        temperature = _calibrate(model, ready)
        if ready.task.calibrates:
            logits = predict_logits(model, ready.dev.tokens, ready.precision)
            ready.task.calibrate(logits, ready.dev.tokens, ready.dev.labels)
        save_model(run.path / "model", model, ready, config, temperature)
        if adapter:
            share = figures.get("continual", {}).get("average", {}).get("new_share", 1.0)
            source = ready.past.name if ready.past else config.model.source
            save_adapter(run.path / "adapter", scaled(adapter, share), model, source)
        figures |= {"read_beside": ready.beside} if ready.beside else {}
        figures |= {"temperature": temperature, "peak_memory_bytes": peak_memory_bytes(choose_device())}
        if forward := forward_flops(model):
            figures |= {"flops": forward.to_json()}
        _write_info(run.path, run.info | {"status": "finished"} | figures)
        if (checkpoints := run.path / "checkpoints").exists():  # four times the model's size, of no more use
            remove_dir(checkpoints)
    ranks.wait()
    return open_run(run.id, workspace)


def open_run(name: str, workspace: Workspace) -> Run:
    """The run with this id, or the newest for "latest".

    Raises:
        TrainingError: if there is none.
    """
    if name == "latest":
        found = max(workspace.runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns, default=None)
        if found is None:
            raise TrainingError(
                t("There is no run in {folder} yet.", folder=workspace.runs), t("Make one: tuneloop tune")
            )
        path = found.parent
    else:
        path = workspace.runs / check_id(name)
    try:
        return Run(path, json.loads((path / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise TrainingError(
            t("There is no run {name} in {folder}.", name=name, folder=workspace.runs),
            t("Give the name of a run there, or no name for the newest; tuneloop tune makes one."),
        ) from None


def alone(folder: Path) -> AbstractContextManager[None]:
    """Inside the block no other process trains in this folder; a TrainingError, if another one is at it."""
    busy = TrainingError(
        t("The run {run} is being trained by another process.", run=folder.name),
        t("Wait until that one ends, or stop it, then resume."),
    )
    return locked(folder, busy=busy)


def _which(resume: str | None, ranks: Ranks, workspace: Workspace) -> str | None:
    """The run that is gone on with: the one asked for, or the newest that the same launcher has begun; or none."""
    if resume is not None:
        return open_run(resume, workspace).id
    runs = [open_run(path.parent.name, workspace) for path in workspace.runs.glob("*/run.json")] if ranks.again else []
    begun = [run for run in runs if run.info.get("launch") == ranks.launch]
    return max(begun, key=lambda run: str(run.info["started"])).id if begun else None


def _fit(
    ready: Prepared,
    config: RunConfig,
    *,
    run: Run,
    cache: Path,
    ranks: Ranks,
    quiet: bool,
    judged: Callable[[int, float], None] | None,
) -> dict[str, Any]:
    """Put the best weights into the model; what run.json says of how it went."""
    metric = ready.method.selects_by(ready.task)
    if isinstance(ready.method, SolvedMethod):
        solution = ready.method.solve(
            ready.model, ready.task, train=ready.train, dev=ready.dev, precision=ready.precision, cache=cache
        )
        reporters = open_reporters(config.training.report_to, run.path, done=0)
        with closing(MetricsLog(run.path, keep_bytes=0, reporters=reporters)) as log:
            for number, trial in enumerate(solution.trials, start=1):
                log.write({"step": number, **trial})
        best = solution.trials[solution.chosen][f"dev_{metric}"]
        return {"steps": len(solution.trials), "best_step": solution.chosen + 1, "best_dev": {metric: best}}
    with ready.used_words(config.training):
        place = train(
            ready.model,
            ready.task,
            cast("GradientMethod", ready.method),
            train_split=ready.train,
            dev_split=ready.dev,
            config=config.training,
            seed=config.seed,
            precision=ready.precision,
            folder=run.path,
            fingerprint=config.fingerprint() | {"data": run.snapshot_hash} | ready.beside | ready.train.dealing,
            cache=ready.frozen_cache(config.training, cache),
            held=ready.held,
            ranks=ranks,
            quiet=quiet,
            judged=judged,
        )
    speed = {"samples_per_s": place.samples_per_s, "steps_s": place.steps_s}
    steps = Steps(cast("GradientMethod", ready.method), ready.train, config.training, config.seed)
    if ranks.size == 1:  # what several machines can do together was not measured
        speed |= utilisation(ready, steps, place, cache=cache)
    return {"steps": place.step, "best_step": place.best_step, "best_dev": {metric: place.best}} | speed


def _gone_on(model: PreTrainedModel, ready: Prepared, folder: Path) -> dict[str, Any]:
    """What is done after training so as not to forget, and what run.json says of going on from a model."""
    going_on = ready.continual
    if going_on is None or not ready.past:
        return {}
    if ready.held and ready.held.fisher:
        write_fisher(folder / "fisher.safetensors", ready.held.fisher)
    return {"continual": going_on.facts() | going_on.finish(model, ready.task, ready.dev, ready.precision)}


def _calibrate(model: PreTrainedModel, ready: Prepared) -> float:
    """Fold the temperature found on dev into the last layer."""
    if not ready.task.has_temperature:
        return 1.0
    logits = predict_logits(model, ready.dev.tokens, ready.precision)
    temperature = fit_temperature(logits, ready.dev.labels, ready.task)
    ready.task.fold_temperature(head_of(model), temperature)
    return temperature


def _same_run(run: Run, config: RunConfig, snapshot: Snapshot) -> Run:
    """The run, if going on with it is the same as never having stopped.

    Raises:
        TrainingError: naming the settings that differ, if there are any, or the data.
    """
    here, there = _flat(config.fingerprint()), _flat(run.config.fingerprint())
    changed = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if changed:
        shown = ", ".join(f"{name} {there.get(name)} -> {here.get(name)}" for name in changed[:5])
        raise TrainingError(
            t("The run {run} has another configuration: {changes}.", run=run.id, changes=shown),
            t("Resume with the config.yaml in the run's folder, or start a new run without --resume."),
        )
    if run.snapshot_hash != snapshot.hash:
        raise TrainingError(
            t("The run {run} was started on other data.", run=run.id),
            t("Resume with the data it was started on, or start a new run without --resume."),
        )
    return run


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as `training.epochs`-like names."""
    if not isinstance(value, dict):
        return {prefix: value}
    parts = [_flat(inner, f"{prefix}.{key}" if prefix else str(key)) for key, inner in value.items()]
    return {name: leaf for part in parts for name, leaf in part.items()}


def _begin(config: RunConfig, snapshot: Snapshot, workspace: Workspace, ready: Prepared, why: str, ranks: Ranks) -> Run:
    now = datetime.now(UTC)
    path = workspace.runs / f"{config.name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    trained, total = count_parameters(ready.model)
    info: dict[str, Any] = {
        "status": "unfinished",
        "snapshot_hash": snapshot.hash,
        "metric": ready.method.selects_by(ready.task),
        "started": now.isoformat(timespec="seconds"),
        "code": code_version(),
        "environment": environment() | {"device": choose_device(), "precision": ready.precision},
        "model": {
            "source": config.model.source,
            "parameters": total,
            "trained_parameters": trained,
            "trust_remote_code": config.model.trust_remote_code,
            "wants_own_code": wants_own_code(ready.source),
        },
    }
    if isinstance(ready.method, GradientMethod):
        info["planned_steps"] = Steps(ready.method, ready.train, config.training, config.seed).total
    if ranks.size > 1:
        info["environment"]["processes"] = ranks.size
    if ranks.launch:
        info["launch"] = ranks.launch
    if why:
        info["chosen"] = {"asked": config.method.asked, "method": config.method.type, "why": why}
    with new_dir(path) as staging:
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_text(staging / "config.yaml", text)
        _write_info(staging, info)
    return Run(path, info)


def _write_info(folder: Path, info: dict[str, Any]) -> None:
    """run.json, changed later than that of any other run, even where the clock was set back: "latest" goes by that."""
    newest_ns = max((other.stat().st_mtime_ns for other in folder.parent.glob("*/run.json")), default=0)
    with new_file(folder / "run.json") as file:
        file.write_text(to_json(info), encoding="utf-8")
        now_ns = max(time.time_ns(), newest_ns + 1)
        os.utime(file, ns=(now_ns, now_ns))
