"""An update: new rows, the cheapest step that dev finds better, one look at the test rows, and what becomes of it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.audits.gate import failed
from tuneloop.audits.run import alarms as alarms_of
from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import new_dir, write_json, write_text
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.updating import Step
from tuneloop.data.duplicates import comparables
from tuneloop.data.snapshot import build_snapshot
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.inference.writing import evaluated_with
from tuneloop.loop.candidates import refuse_recalibration, step_config, train
from tuneloop.loop.decision_page import decision_html
from tuneloop.loop.evidence import Judge
from tuneloop.loop.gate import NEW, Decision, decide
from tuneloop.loop.rows import NewRows, collect
from tuneloop.releases.auditing import AUDIT, audit, earlier_snapshots
from tuneloop.releases.index import rows as released
from tuneloop.releases.read import Release
from tuneloop.tasks import task_class
from tuneloop.training.continual.past import Past, find_past
from tuneloop.training.run import Run

if TYPE_CHECKING:
    from tuneloop.watch.base import Event, Feedback

Audit = dict[str, Any]
"""The content of an audit.json."""

MakeRelease = Callable[["Run", "Audit | None"], "Release"]

DECISION, PAGE = "decision.json", "decision.html"


@dataclass(frozen=True)
class Update:
    """What an update starts from.

    Args:
        release: the current one.
        config: its configuration, with the sections `update` and `continual` that hold.
        rows: the new rows.
        snapshot: the same, cleaned and dealt into train, dev and test.
        trained: texts that the release was trained on, as `comparables`.
        base: the folder that paths of the configuration start from.
    """

    release: Release
    config: RunConfig
    rows: NewRows
    snapshot: Snapshot
    trained: frozenset[str]
    workspace: Workspace
    base: Path

    def step(self, step: Step) -> RunConfig:
        """The configuration of a step."""
        return step_config(self.config, step, self.rows, release=self.release.id, base=self.base)


def prepare(
    release: Release,
    *,
    config: RunConfig,
    files: Sequence[Path],
    said: Iterable[tuple[Feedback, Event]] | None,
    workspace: Workspace,
    base: Path,
    quiet: bool = False,
) -> Update:
    """The new rows of an update, dealt into splits as any data.

    Raises:
        ConfigError: if a model of this kind cannot be gone on from.
        DataError: if rows cannot be used, or the release's own data is gone: nobody could tell what is forgotten.
    """
    find_snapshot(str(release.info["data_hash"]), workspace)
    past = find_past(config.model_copy(update={"continual": _from(config, release)}), workspace)
    assert past is not None
    if said is not None and task_class(config.task).problem_type != "single_label_classification":
        raise ConfigError(
            t("Feedback names one class, which task {task} does not have.", task=config.task.type),
            t("Leave --feedback out, and give a file with --data."),
        )
    rows = collect(
        files, said, config=config, classes=past.labels, known=_texts(past, "train", "dev", "test"), workspace=workspace
    )
    data = step_config(config, "full", rows, release=release.id, base=base)
    snapshot = build_snapshot(data, task=task_class(data.task), workspace=workspace, base=base, quiet=quiet)
    return Update(release, config, rows, snapshot, _texts(past, "train"), workspace, base)


def outlook(update: Update) -> dict[str, Any]:
    """What an update would do, as JSON: its new rows, the steps with their methods, and the rows that would judge."""
    old = earlier_snapshots(update.config.name, before="", without=update.snapshot.hash, workspace=update.workspace)
    data = {NEW: update.snapshot} | old
    splits = ("train", "dev", "test")
    return {
        "name": update.config.name,
        "current": update.release.id,
        "new_rows": update.rows.to_json(),
        "snapshot_hash": update.snapshot.hash,
        "labels": list(update.snapshot.labels),
        "steps": {step: update.step(step).method.model_dump(mode="json") for step in update.config.update.steps},
        "rows": {name: {split: len(each.split(split)) for split in splits} for name, each in data.items()},
    }


def run_update(update: Update, make_release: MakeRelease, *, quiet: bool = False) -> dict[str, Any]:
    """Try the steps, judge one candidate on test, release it if it is better; the decision as JSON.

    The steps are screened on dev. Only the first that passes there is judged on test, and once: so trying several steps
    makes no step more likely to be promoted by chance.

    Args:
        make_release: makes a release of a run, with the audit that the gate has seen, where it has seen one.

    Returns:
        The content of decision.json, with the path of the page as `report`.

    Raises:
        ConfigError: if no step can be made of this release.
        InterruptedTrainingError: after Ctrl-C; the same call goes on, and trains nothing twice.
    """
    engine = evaluated_with(update.config.task)
    with closing(update.release.predictor(engine)) as current:
        judge = Judge(current, update.step("full"), update.snapshot, trained=update.trained, workspace=update.workspace)
        tried, chosen, decision = _screen(update, judge, quiet=quiet)
        judged_on, audited = "dev", None
        if decision.verdict == "promote":
            judged_on = "test"
            decision, audited = _judge(update, judge, chosen, quiet=quiet)
        rows = {each.name: {"rows": len(each.examples), "left_out": each.left_out} for each in judge.rows(judged_on)}
    made = _release(chosen, make_release, audited, update.workspace) if decision.verdict == "promote" else None
    found = {
        "version": 1,
        "name": update.config.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "current": update.release.id,
        "candidate": chosen.id,
        "release": made.id if made else None,
        "judged_on": judged_on,
        **decision.to_json(),
        "tried": tried,
        "new_rows": update.rows.to_json(),
        "snapshot_hash": update.snapshot.hash,
        "judged_rows": rows,
        "sets_left_out": judge.left_out,
        "other_candidates_tested": _tested_before(update, chosen),
    }
    return found | {"report": str(_write(found, update.workspace))}


def _screen(update: Update, judge: Judge, *, quiet: bool) -> tuple[list[dict[str, Any]], Run, Decision]:
    """What was tried; the first run that passes on dev, or else the best, and what dev says of it."""
    tried: list[dict[str, Any]] = []
    results: list[tuple[Run, Decision]] = []
    refused: ConfigError | None = None
    for step in update.config.update.steps:
        begun = time.monotonic()
        try:
            if step == "recalibrate":
                refuse_recalibration(list(update.snapshot.labels), judge.current.task.labels)
            run, reused = train(
                update.step(step), update.snapshot, workspace=update.workspace, base=update.base, quiet=quiet
            )
        except ConfigError as error:  # this step makes no sense for this model, another may
            refused = refused or error
            tried.append({"step": step, "refused": error.problem})
            continue
        took_s = time.monotonic() - begun
        with closing(run.handle(evaluated_with(run.config.task))) as candidate:
            decision = decide(judge.evidence(candidate, "dev"), update.config.update.gate)
        results.append((run, decision))
        tried.append({"step": step, "run": run.id, "cost": _cost(run, took_s, reused), "dev": decision.to_json()})
        if decision.verdict == "promote":
            return tried, run, decision
    if not results:
        assert refused is not None
        raise refused
    return tried, *max(results, key=lambda each: _rank(each[1]))


def _cost(run: Run, took_s: float, reused: bool) -> dict[str, Any]:
    return {
        "trained_parameters": run.info["model"]["trained_parameters"],
        "took_s": None if reused else round(took_s, 3),
        "found_again": reused,
    }


def _rank(decision: Decision) -> tuple[bool, float]:
    """What is worse for certain last, then by what is gained on the new rows; max takes the first of equals."""
    gains = [each.fields["difference"] for each in decision.reasons if each.fields.get("kind") == "new"]
    return decision.verdict != "hold", gains[0] if gains else 0.0


def _judge(update: Update, judge: Judge, run: Run, *, quiet: bool) -> tuple[Decision, Audit | None]:
    """What the test rows say, and the audits where a release needs them; the audit of the run."""
    gate = update.config.update.gate
    with closing(run.handle(evaluated_with(run.config.task))) as candidate:
        evidence = judge.evidence(candidate, "test")
    decision = decide(evidence, gate)
    if decision.verdict == "hold" or not run.config.audit.required:
        return decision, None
    found = audit(run, workspace=update.workspace, config=run.config.audit, quiet=quiet)
    before = _kinds(_audit_of(update.release, run.config, update.workspace, quiet=quiet))
    alarms = {name: sorted(kinds - before.get(name, set())) for name, kinds in _kinds(found).items()}
    new = {name: kinds for name, kinds in alarms.items() if kinds}
    return decide(evidence, gate, broken=failed(found), alarms=new), found


def _audit_of(release: Release, config: RunConfig, workspace: Workspace, *, quiet: bool) -> dict[str, Any]:
    """The audit that the current release has, or one by the same rules."""
    for path in (release.path / AUDIT, workspace.audits / release.id / AUDIT):
        if path.is_file():
            return dict(json.loads(path.read_text(encoding="utf-8")))
    return audit(release, workspace=workspace, config=config.audit, quiet=quiet)


def _kinds(found: dict[str, Any]) -> dict[str, set[str]]:
    kinds: dict[str, set[str]] = {}
    for name, finding in alarms_of(found):
        kinds.setdefault(name, set()).add(finding["kind"])
    return kinds


def _release(run: Run, make_release: MakeRelease, audited: Audit | None, workspace: Workspace) -> Release:
    """A release of the run: the one there is, where an update was stopped behind it, or a new one."""
    from tuneloop.releases.read import open_release

    known = [row.id for row in released(workspace) if row.run == run.id]
    return open_release(known[0], workspace) if known else make_release(run, audited)


def _tested_before(update: Update, chosen: Run) -> int:
    """Other candidates that these test rows have judged before: each more makes a promotion by chance more likely."""
    seen = set()
    for path in update.workspace.updates.glob(f"{update.config.name}-*/{DECISION}"):
        with suppress(ValueError, KeyError, OSError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["judged_on"] == "test" and found["snapshot_hash"] == update.snapshot.hash:
                seen.add(found["candidate"])
    return len(seen - {chosen.id})


def _write(found: dict[str, Any], workspace: Workspace) -> Path:
    """decision.json and its page in a folder of their own; where the page is."""
    path = workspace.updates / f"{found['name']}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    with new_dir(path) as folder:
        write_json(folder / DECISION, found)
        write_text(folder / PAGE, decision_html(found))
    return path / PAGE


def _from(config: RunConfig, release: Release) -> Any:
    return config.continual.model_copy(update={"model": release.id})


def _texts(past: Past, *splits: str) -> frozenset[str]:
    """Texts of the data that a release comes from; none where some of it is gone."""
    with suppress(ConfigError):
        return frozenset(text for name in splits for text in comparables(past.rows(name)))
    return frozenset()
