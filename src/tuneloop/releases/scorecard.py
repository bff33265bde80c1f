"""The figures of a run or release: on which rows, beside which baselines, against which release."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import DataError, ReleaseError
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.fusion import read_by
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress
from tuneloop.core.project import base_of
from tuneloop.data.duplicates import comparables
from tuneloop.data.snapshot_folder import Snapshot, find_snapshot
from tuneloop.inference.ruling import rulings, settle
from tuneloop.inference.writing import evaluated_with
from tuneloop.knowledge.attach import knowledge_hash
from tuneloop.methods import BASELINES
from tuneloop.releases.index import newest, of_model, rows
from tuneloop.releases.read import Release, open_release

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.inference.predictor import Predictor
    from tuneloop.inference.writing import Writer
    from tuneloop.knowledge.reasons import Outcome
    from tuneloop.tasks.base import FloatArray, Task
    from tuneloop.tasks.generation import Generation
    from tuneloop.training.run import Run

EVALUATION, REPORT = "evaluation.json", "report.html"


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Args:
        name: of the run or release.
        config: what it was made with.
        snapshot: the data it was made from.
        predictor: what answers.
        folder: the model's.
    """

    name: str
    config: RunConfig
    snapshot: Snapshot
    predictor: Predictor
    folder: Path


def evaluate(
    target: Run | Release,
    *,
    workspace: Workspace,
    against: str | None = None,
    data: Path | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Evaluate, and write evaluation.json, predictions.parquet and report.html into a run's folder.

    A release's folder is never written to, and neither is anything when `data` is given.

    Args:
        against: the release to compare with; the newest other release of the same name by default.
        data: a labelled file; the test split of the snapshot by default.

    Returns:
        The evaluation as JSON, with the path of the page as `report` if one was written.
    """
    subject = subject_of(target, workspace)
    split, examples = (data.name, labelled_rows(data, subject)) if data else ("test", subject.snapshot.split("test"))
    reference = _reference(subject, against, workspace)
    try:
        found, scores = _measure(subject, examples, reference, workspace=workspace, split=split, quiet=quiet)
    finally:
        subject.predictor.close()
    if isinstance(target, Release) or data:
        return found
    _write(target.path, subject, examples, scores, found)
    return found | {"report": str(target.path / REPORT)}


def evaluate_staged(
    subject: Subject, reference: Release, *, workspace: Workspace, quiet: bool = False
) -> dict[str, Any]:
    """The evaluation on test, beside `reference`, of what stands in `subject.folder` and is no release yet.

    evaluation.json, predictions.parquet and report.html are written there.
    """
    examples = subject.snapshot.split("test")
    found, scores = _measure(subject, examples, reference, workspace=workspace, split="test", quiet=quiet)
    _write(subject.folder, subject, examples, scores, found)
    return found


def _write(folder: Path, subject: Subject, examples: Examples, scores: FloatArray, found: dict[str, Any]) -> None:
    from tuneloop.evaluation.predictions import PREDICTIONS, write_predictions
    from tuneloop.evaluation.report import report_html

    lineage = {t("run"): subject.name, t("data"): subject.snapshot.hash, t("model"): subject.config.model.source}
    write_predictions(folder / PREDICTIONS, subject.predictor.task, examples, scores)
    write_text(folder / REPORT, report_html(found, title=subject.name, lineage=lineage))
    write_json(folder / EVALUATION, found)


def evaluation_of(run: Run, *, workspace: Workspace, quiet: bool = False) -> dict[str, Any]:
    """The evaluation of a run: the one it has, as the test split is read once, or a new one after other rules."""
    path = run.path / EVALUATION
    if path.is_file():
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        if found.get("knowledge", "") == knowledge_hash(run.model_path):  # else the answers are others by now
            return found
    evaluate(run, workspace=workspace, quiet=quiet)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _measure(
    subject: Subject, examples: Examples, reference: Release | None, *, workspace: Workspace, split: str, quiet: bool
) -> tuple[dict[str, Any], FloatArray]:
    from tuneloop.evaluation.evaluate import evaluate as measure

    task, inputs = subject.predictor.task, examples.inputs
    train = subject.snapshot.split("train")
    models = {name: BASELINES.get(name) for name in task.baselines}
    with progress(t("evaluating"), len(models) + 2, quiet=quiet) as bar:
        alone = _scores(subject.predictor, examples)
        outcomes = rulings(subject.predictor, inputs, alone)
        scores = alone if outcomes is None else settle(task, alone, [each.answer for each in outcomes])
        truncated = subject.predictor.truncated(inputs).tolist()
        bar.update(1)
        baselines = _untuned(subject, examples, workspace)
        for name, model in models.items():
            baselines[name] = model().fit(train, task, seed=subject.config.seed).scores(inputs)
            bar.update(1 + len(baselines))
        found = measure(
            task=task,
            examples=examples,
            scores=scores,
            baselines=baselines,
            reference=_answers_of(reference, subject, examples),
            config=subject.config.evaluation,
            seed=subject.config.seed,
            truncated=truncated,
            split=split,
            alone=alone,
            rules=_rules(subject, examples, outcomes, alone, scores),
        ).to_json()
        bar.update(len(models) + 2)
    if split != "test":  # whose rows are never among those of train
        found["rows_seen"] = among(train, examples, task)
    if outcomes is not None or subject.config.knowledge.used:
        found["knowledge"] = knowledge_hash(subject.folder)
    if reference is not None and found["reference"] is not None:
        found["reference"]["rows_seen"] = _rows_seen(reference, examples, subject, workspace)
    return found, scores


def _rules(
    subject: Subject, examples: Examples, outcomes: list[Outcome] | None, alone: FloatArray, scores: FloatArray
) -> dict[str, Any] | None:
    """What rules did to the scores of the model alone; None without rules."""
    from tuneloop.evaluation.rules import rules_section

    knowledge = subject.predictor.knowledge
    if outcomes is None or knowledge is None or knowledge.book is None:
        return None
    return rules_section(
        knowledge.book,
        outcomes,
        task=subject.predictor.task,
        labels=examples.labels,
        before=alone,
        after=scores,
        seed=subject.config.seed,
        resamples=subject.config.evaluation.resamples,
    )


def subject_of(target: Run | Release, workspace: Workspace) -> Subject:
    """What is evaluated of a run or release; its predictor is open."""
    if isinstance(target, Release):
        config = parse_config(target.info["config"])
        return Subject(
            target.id, config, find_snapshot(target.info["data_hash"], workspace), target.predictor(), target.path
        )
    if target.status != "finished":
        raise ReleaseError(
            t("The run {name} is not finished.", name=target.id), t("Finish the run first: tuneloop tune --resume")
        )
    engine = evaluated_with(target.config.task)
    data = find_snapshot(target.snapshot_hash, workspace)
    return Subject(target.id, target.config, data, target.handle(engine), target.model_path)


def labelled_rows(path: Path, subject: Subject) -> Examples:
    """The rows of a labelled file as the subject's own data are read."""
    from tuneloop.data.clean import clean_texts
    from tuneloop.data.labelled import labelled
    from tuneloop.data.readers import read_table
    from tuneloop.data.readers.samples import columns_of

    table = read_table(str(path), base=Path.cwd())
    data = subject.config.data
    task = type(subject.predictor.task)
    examples = labelled(table, columns_of(data.source, data.columns), task, max_chars=data.max_text_chars)
    if task.free_answers:  # the model was taught with mended answers
        answers, _ = clean_texts([str(label) for label in examples.labels], data.clean)
        examples = replace(examples, labels=list(answers))
    return examples


def held_out_rows(path: Path, subject: Subject) -> Examples:
    """The rows of a labelled file by which something is chosen.

    Raises:
        DataError: if some of them were learnt from, or are tested on.
    """
    rows = labelled_rows(path, subject)
    known, tested = (among(subject.snapshot.split(name), rows, subject.predictor.task) for name in ("train", "test"))
    if known or tested:
        raise DataError(
            t("{path} holds {count} texts of the train or test split.", path=path, count=known + tested),
            t("Leave them out: the hand-over is chosen on rows that were neither learnt nor are tested on."),
        )
    return rows


def _reference(subject: Subject, against: str | None, workspace: Workspace) -> Release | None:
    """The release to compare with: the one that is named, or the newest other one of the same model."""
    if against is not None:
        return open_release(newest(against, workspace), workspace)
    others = [each for each in of_model(subject.config.name, rows(workspace)) if each != subject.name]
    return open_release(others[-1], workspace) if others else None


def _scores(predictor: Predictor, examples: Examples) -> FloatArray:
    """What a model answers, and for texts how likely it finds the right ones."""
    if predictor.task.generates:
        return cast("Writer", predictor).scores(examples.inputs, examples.labels)
    return predictor.scores(examples.inputs)


def _untuned(subject: Subject, examples: Examples, workspace: Workspace) -> dict[str, FloatArray]:
    """The answers of the pretrained model as it came, where it can answer."""
    if not subject.predictor.task.generates:
        return {}
    from tuneloop.inference.writing import open_untuned

    task = cast("Generation", subject.predictor.task)
    untuned = open_untuned(subject.config, task=task, base=base_of(subject.config, workspace.root))
    try:
        return {"base": _scores(untuned, examples)}
    finally:
        untuned.close()


def _answers_of(reference: Release | None, subject: Subject, examples: Examples) -> tuple[str, FloatArray] | None:
    """The reference's answers to the same rows; none if it gives other classes or reads other modalities, where no
    paired test is possible."""
    if reference is None:
        return None
    predictor = reference.predictor()
    try:
        if predictor.task.labels != subject.predictor.task.labels or read_by(predictor) != read_by(subject.predictor):
            return None
        scores = _scores(predictor, examples)
        outcomes = rulings(predictor, examples.inputs, scores)
        answers = scores if outcomes is None else settle(predictor.task, scores, [each.answer for each in outcomes])
        return reference.id, answers
    finally:
        predictor.close()


def _rows_seen(reference: Release, examples: Examples, subject: Subject, workspace: Workspace) -> int | None:
    """How many of these rows the reference was trained on; None if its data is no longer there."""
    if reference.info["data_hash"] == subject.snapshot.hash:
        return 0
    try:
        train = find_snapshot(reference.info["data_hash"], workspace).split("train")
    except DataError:
        return None
    return among(train, examples, subject.predictor.task)


def among(train: Examples, examples: Examples, task: Task) -> int:
    """How many rows have a text that train has too; case and spaces do not count, nor what the system says."""
    known = set(comparables(train, prompts=task.free_answers))
    return sum(each in known for each in comparables(examples, prompts=task.free_answers))
