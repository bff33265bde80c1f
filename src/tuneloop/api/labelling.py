"""The part of the Python door that gives texts to people for labelling, and takes and hands on what they say."""

from __future__ import annotations

import getpass
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tuneloop.api.releasing import find
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME, Workspace, check_id
from tuneloop.core.project import Config, Project, open_project

if TYPE_CHECKING:
    from tuneloop.labelling.exporting import Exported
    from tuneloop.labelling.importing import Imported
    from tuneloop.labelling.pool import Pool
    from tuneloop.labelling.rows import Names
    from tuneloop.labelling.store import Answer, Item, LabelStore

ANNOTATOR_VARIABLE = "TUNELOOP_ANNOTATOR"


def label_next(
    config: Config | Project | None = None,
    *,
    count: int = 20,
    pool: str | None = None,
    annotator: str = "",
    strategy: str = "auto",
    per_item: int = 1,
    disagreed: bool = False,
    model: str = "",
    encoder: str = "",
    seed: int = 0,
    to: Path | None = None,
    format: str = "",
    force: bool = False,
    labels: Sequence[str] = (),
    task: str = "",
    project: str = "",
    workspace: Path | None = None,
) -> list[Item]:
    """Texts for one person to label next: those that wait for an answer first, then new ones that a strategy chose.

    They are kept from others for a day. Answers are given with `open_labels(...).answer`, or by importing a file.

    Args:
        config: whose task, columns and data count; ./tuneloop.yaml by default.
        pool: a file of texts; the rows of `data.source` without a label by default.
        annotator: who labels; `TUNELOOP_ANNOTATOR` or the user's name by default.
        strategy: how new texts are chosen.
        per_item: how many people are to answer each text.
        disagreed: instead give texts of which others say different things.
        model: a run or release for strategies that need one; the newest release of the configuration by default.
        encoder: a model source whose vectors are compared where there is no model.
        to: a file to write them to, for another tool.
        format: of that file: csv, jsonl, label-studio, doccano or argilla.
        labels: classes that may be given; those in the data by default.
        task: what is labelled, where there is no configuration.
        project: the name that the labels are kept under; the configuration's by default.

    Raises:
        ConfigError: if the task cannot be labelled, or there is no such strategy or format.
        DataError: if there is nothing left to label, or a file cannot be read.
    """
    from tuneloop.labelling.exporting import refuse_existing, write_to_label
    from tuneloop.labelling.formats import format_of
    from tuneloop.labelling.importing import check_annotator
    from tuneloop.labelling.queue import disagreed_items, next_items

    if to is not None:
        format_of(to, format)
        refuse_existing(to, force=force)
    who = check_annotator(annotator or default_annotator())
    with _opened(config, task=task, project=project, workspace=workspace, create=True) as (store, place):
        _learn_names(store, place, labels)
        if disagreed:
            found = disagreed_items(store, who, count=count)
        else:
            found = next_items(
                store, who, lambda: _pool(place, store.task, pool), model=lambda: _model(place, model),
                strategy=strategy, count=count, per_item=per_item, seed=seed, encoder=encoder,
            )  # fmt: skip
        if to is not None:
            write_to_label(found, to, task=store.task, format=format, names=_names(place), force=force)
        return found


def label_import(
    path: Path,
    config: Config | Project | None = None,
    *,
    format: str = "",
    annotator: str = "",
    labels: Sequence[str] = (),
    task: str = "",
    project: str = "",
    workspace: Path | None = None,
) -> Imported:
    """Take labels from a file of ours or of another tool; all of them, or none and one error.

    Args:
        format: csv, jsonl, label-studio, doccano or argilla; by default the file's name tells it.
        annotator: who labelled the rows that name nobody.
        labels: classes that may be given besides those that are known.

    Raises:
        DataError: with file, row and field at the first row that is wrong.
    """
    from tuneloop.labelling.importing import import_file

    with _opened(config, task=task, project=project, workspace=workspace, create=True) as (store, place):
        _learn_names(store, place, labels)
        return import_file(
            store, Path(path), format=format, annotator=annotator or default_annotator(), names=_names(place),
            max_chars=place.config.data.max_text_chars,
        )  # fmt: skip


def label_export(
    path: Path,
    config: Config | Project | None = None,
    *,
    format: str = "",
    adjudicated: str = "",
    add_to: str | None = None,
    skipped: bool = False,
    force: bool = False,
    task: str = "",
    project: str = "",
    workspace: Path | None = None,
) -> Exported:
    """Write labels to a file: every answer, or the one label that is taken of each text.

    Args:
        format: csv, jsonl, label-studio, doccano or argilla; by default the file's name tells it.
        adjudicated: "majority" or "dawid-skene": one label for each text, with its probability.
        add_to: a data file; its rows and the labels go to `path` as JSON lines, and it stays as it is.
        skipped: also what was skipped.
        force: whether a file that is there is replaced.

    Raises:
        ConfigError: if the file exists, or the format has no such labels.
        DataError: if nothing is labelled yet.
    """
    from tuneloop.labelling.exporting import add_to_data, export_file

    with _opened(config, task=task, project=project, workspace=workspace) as (store, place):
        if add_to is not None:
            data = place.config.data
            base = place.base if add_to == data.source else Path.cwd()
            return add_to_data(
                store, add_to, Path(path), config=data, base=base, adjudicated=adjudicated or "majority", force=force
            )
        return export_file(
            store, Path(path), format=format, adjudicated=adjudicated, names=_names(place), skipped=skipped, force=force
        )


def label_status(
    config: Config | Project | None = None,
    *,
    task: str = "",
    project: str = "",
    workspace: Path | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """How much is labelled by whom, and how far people agree.

    Returns:
        `task`, `classes`; `items`, `labelled`, `waiting`, `disagreed` and `tied` as numbers of texts; `annotators` with
        their answers; `labels` with how often each is taken; `agreement` (see `labelling.agreement`), None where no
        text has two answers.

    Raises:
        DataError: if there are no labels.
    """
    from tuneloop.labelling.agreement import agreement
    from tuneloop.labelling.kinds import kind_of, names_in
    from tuneloop.labelling.votes import adjudicate, disagreements

    with _opened(config, task=task, project=project, workspace=workspace) as (store, _):
        items, answers, names, kind = store.items(), store.answers(skipped=True), store.names, kind_of(store.task)
    given = [each for each in answers if not each.skipped]
    taken = adjudicate(kind, given)
    counted = Counter(name for each in taken.values() if each.label is not None
                      for name in names_in(store.task, [each.label]))  # fmt: skip
    found: dict[str, Any] = {
        "task": store.task,
        "classes": names,
        "items": len(items),
        "labelled": len(taken),
        "waiting": len(items) - len(taken),
        "disagreed": len(disagreements(given)),
        "tied": sum(each.label is None for each in taken.values()),
        "annotators": [_person(who, answers) for who in sorted({each.annotator for each in answers})],
        "labels": dict(counted.most_common()),
        "agreement": None,
    }
    if any(each.people > 1 for each in taken.values()):
        found["agreement"] = agreement(kind, given, items, names, seed=seed)
    return found


def label_undo(
    config: Config | Project | None = None,
    *,
    annotator: str = "",
    task: str = "",
    project: str = "",
    workspace: Path | None = None,
) -> tuple[Item, Answer] | None:
    """Take back somebody's last answer; the text and the answer, or None if there is none."""
    with _opened(config, task=task, project=project, workspace=workspace) as (store, _):
        answer = store.undo(annotator or default_annotator())
        return None if answer is None else (store.items()[answer.item], answer)


@contextmanager
def open_labels(
    config: Config | Project | None = None, *, task: str = "", project: str = "", workspace: Path | None = None
) -> Iterator[LabelStore]:
    """The labels themselves, for a program that asks people: `items`, `answer`, `undo`, `answers`."""
    with _opened(config, task=task, project=project, workspace=workspace) as (store, _):
        yield store


def default_annotator() -> str:
    """Who labels where nobody says: `TUNELOOP_ANNOTATOR`, else the user of this machine."""
    try:
        return os.environ.get(ANNOTATOR_VARIABLE) or getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return "annotator"


@contextmanager
def _opened(
    config: Config | Project | None, *, task: str, project: str, workspace: Path | None, create: bool = False
) -> Iterator[tuple[LabelStore, Project]]:
    from tuneloop.labelling.kinds import kind_of
    from tuneloop.labelling.store import FILE, LabelStore

    there = config is not None or Path(CONFIG_NAME).is_file()
    if isinstance(config, Project):
        place = config
    elif there:
        place = open_project(CONFIG_NAME if config is None else config)
    else:
        place = open_project({"data": {"source": ""}, "task": task or "classification"})
    root = place.workspace if workspace is None else Workspace(workspace)
    folder = root.labels / check_id(project or place.config.name)
    wanted = task or (place.config.task.type if there else "")
    if wanted:
        kind_of(wanted)
    elif create and not (folder / FILE).exists():
        raise ConfigError(
            t("What is labelled is not said, and there is no {name} here.", name=CONFIG_NAME),
            t("Write one with: tuneloop init YOUR_DATA.csv, or say --task classification --labels first,second"),
        )
    with LabelStore(folder, create=wanted if create else "") as store:
        yield store, place


def _learn_names(store: LabelStore, place: Project, labels: Sequence[str]) -> None:
    """The classes that are named, or those of the data where none are known yet."""
    from tuneloop.labelling.kinds import kind_of, names_in

    if kind_of(store.task) == "number":
        return
    names = [name.strip() for name in labels if name.strip()]
    if not names and not store.names and _has_data(place):
        names = names_in(store.task, [label for _, label in _pool(place, store.task, None).labelled])
    store.add_names(names)


def _has_data(place: Project) -> bool:
    from tuneloop.data.readers.samples import SAMPLE_PREFIX

    source = place.config.data.source
    return bool(source) and (source.startswith(SAMPLE_PREFIX) or (place.base / Path(source).expanduser()).exists())


def _pool(place: Project, task: str, file: str | None) -> Pool:
    """Texts of the file, and what the data of the configuration says is labelled."""
    from tuneloop.labelling.pool import Pool, read_pool

    data = place.config.data
    found = read_pool(data.source, data, base=place.base, task=task, format=data.format) if _has_data(place) else Pool()
    if file is None:
        return found
    more = read_pool(file, data, base=Path.cwd(), task=task)
    return Pool(more.unlabelled, [*found.labelled, *more.labelled])


def _model(place: Project, name: str) -> Any:
    """What answers, of a run or release; None where none is named and the configuration has no release."""
    from tuneloop.inference.inside import ENGINE
    from tuneloop.releases.index import model_of, rows

    if not name:
        made = [row.id for row in rows(place.workspace) if model_of(row.id) == place.config.name]
        if not made:
            return None
        name = place.config.name
    subject = find(name, workspace=place.workspace.root)
    # a release may answer by a form that tells no vectors and cannot drop weights, which strategies need
    return subject.predictor(ENGINE) if hasattr(subject, "predictor") else subject.handle()


def _names(place: Project) -> Names:
    from tuneloop.labelling.rows import Names

    columns = place.config.data.columns
    return Names(columns.text, columns.pair or "pair", columns.label)


def _person(who: str, answers: Sequence[Answer]) -> dict[str, Any]:
    mine = [each for each in answers if each.annotator == who]
    timed = [each.seconds for each in mine if each.seconds is not None]
    return {
        "annotator": who,
        "answers": sum(not each.skipped for each in mine),
        "skipped": sum(each.skipped for each in mine),
        "seconds": median(timed) if timed else None,
    }
