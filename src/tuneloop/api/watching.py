"""The part of the Python door that watches what is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError, DataError, ModelError, ReleaseError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.core.project import Config, Project
    from tuneloop.core.watching import WatchConfig
    from tuneloop.watch.alerts.base import Alert
    from tuneloop.watch.base import Event, Feedback
    from tuneloop.watch.drift.reference import Reference

JSON, PAGE, REFERENCE, VECTORS = "watch.json", "watch.html", "reference.parquet", "vectors.npy"

DRIFT = "drift "
"""How it begins what alarms of drift are about."""


def watch(
    release: str,
    *,
    events: Path | Sequence[Event] | None = None,
    feedback: Path | Iterable[tuple[Event, Feedback]] | None = None,
    config: Config | None = None,
    workspace: Path | None = None,
    alert: bool = True,
    quiet: bool = False,
) -> dict[str, Any]:
    """Whether what a release served is still like what it was measured on; who is to hear of alarms hears of them.

    Args:
        release: its name; a model's name means its newest release.
        events: what it served, or a file of JSON lines; those of other releases are left out. By default those that the
            server kept, with what people said of them.
        feedback: what people said of `events`, or a file of JSON lines.
        config: whose section `watch.drift` says how to watch; that of ./tuneloop.yaml by default, if the workspace is
            its own.
        alert: whether alarms are told.

    Returns:
        The content of watch.json, with the path of the page as `report`, the alarms in words as `alarms`, and what went
        wrong in telling them as `untold`. The files lie in the folder `watch/RELEASE` of the workspace.

    Raises:
        DataError: if there are no events, or a file is wrong.
        ConfigError: if a setting is wrong.
        ReleaseError: if there is no such release.
    """
    from tuneloop.api.releasing import DEFAULT_WORKSPACE, project_here
    from tuneloop.core.fsio import write_json, write_text
    from tuneloop.core.project import open_project
    from tuneloop.core.watching import WatchConfig
    from tuneloop.releases.index import newest
    from tuneloop.watch.alerts.tell import channels_of, tell
    from tuneloop.watch.drift.embedding import Vectors
    from tuneloop.watch.drift.files import read_events, read_feedback
    from tuneloop.watch.drift.monitor import create, monitor
    from tuneloop.watch.drift.page import watch_html

    place = Workspace(Path(workspace or DEFAULT_WORKSPACE))
    project = project_here(place) if config is None else open_project(config)
    watched = WatchConfig() if project is None else project.config.watch  # type: ignore[call-arg]
    settings = watched.drift
    detectors = create(settings)  # a wrong name, before anything is computed
    name = newest(release, place)
    folder = place.watched / name
    channels = channels_of(settings.alerts, folder) if alert else []
    early = _early(project)
    if events is None:
        seen, said = _kept(name, place, watched.store)
    else:
        given = read_events(events) if isinstance(events, Path) else events
        seen = sorted((event for event in given if event.release == name), key=lambda event: event.at)
        said = read_feedback(feedback, seen) if isinstance(feedback, Path) else list(feedback or ())
    # vectors that are there already are of texts in another form, so none are read beside them
    wanted = any(isinstance(each, Vectors) for each in detectors.values())
    reads = wanted and any(event.text for event in seen) and all(event.vector is None for event in seen)
    if not reads:
        (folder / VECTORS).unlink(missing_ok=True)  # of texts that are gone
    if not seen:
        raise DataError(t("{name} has no events.", name=name), t("Serve it with events kept, or give --events."))
    reference = _reference(name, place, watched) if settings.reference == "release" else None
    with ExitStack() as stack:
        read = _text_vectors(name, place, watched.raw, stack, quiet) if reads else None
        found = monitor(name, seen, said, reference=reference, config=settings, read=read, quiet=quiet)
    found["warnings"] = [each.to_json() for warn in early for each in _bursts(warn, seen)]
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / JSON, found)
    write_text(folder / PAGE, watch_html(found))
    alerts = alerts_of(found)
    untold = tell(alerts, channels, folder, cooldown_s=settings.alerts.cooldown_s, lasting=DRIFT) if channels else []
    return found | {
        "report": str(folder / PAGE),
        "alarms": [each.sentence for each in alerts],
        "untold": [str(error) for error in untold],
    }


def alerts_of(found: dict[str, Any]) -> list[Alert]:
    """What is to be told of a watch.json, in the language in force."""
    from tuneloop.core.hashing import hash_json
    from tuneloop.watch.alerts.base import Alert
    from tuneloop.watch.drift.monitor import alarms_of
    from tuneloop.watch.drift.page import alarm_sentence
    from tuneloop.watch.early.rules import Warned

    release = found["release"]
    alerts = []
    for alarm in alarms_of(found):
        about = f"{DRIFT}{alarm['slice']} {alarm['detector']}"
        key = hash_json([release, about, alarm["at"]])[:24]
        alerts.append(Alert(key, about, release, alarm["at"], alarm_sentence(alarm), alarm))
    return alerts + [Warned.alert(burst, release) for burst in found["warnings"]]


def watched(release: str, *, workspace: Path | None = None) -> dict[str, Any] | None:
    """The content of the newest watch.json of a release, by its id; None before it was watched.

    Raises:
        DataError: if it cannot be read.
    """
    import json

    from tuneloop.api.releasing import DEFAULT_WORKSPACE
    from tuneloop.core.paths import check_id

    path = Workspace(Path(workspace or DEFAULT_WORKSPACE)).watched / check_id(release) / JSON
    if not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(t("{path} cannot be read: {error}", path=path, error=error), t("Watch it again.")) from None


def alerts(release: str, *, workspace: Path | None = None) -> list[dict[str, Any]]:
    """Alerts of a release, by its id, the newest first, and by which ways each was told.

    Returns:
        Each with `at`, `about`, `sentence`, `details`, and `told`: seconds since 1970, UTC, by the name of the way.
    """
    from tuneloop.api.releasing import DEFAULT_WORKSPACE
    from tuneloop.core.paths import check_id
    from tuneloop.watch.alerts.record import told_alerts

    found = watched(release, workspace=workspace)
    folder = Workspace(Path(workspace or DEFAULT_WORKSPACE)).watched / check_id(release)
    return told_alerts(folder, alerts_of(found) if found else ())


def _kept(name: str, place: Workspace, store: str) -> tuple[list[Event], list[tuple[Event, Feedback]]]:
    """What the server kept of a release's answers, and what people said of them."""
    from tuneloop.api.events import events, feedback

    seen = list(events(place.root, release=name, store=store))
    return seen, [(about, said) for said, about in feedback(place.root, release=name, store=store)]


def _early(project: Project | None) -> Sequence[Any]:
    """The early warnings; their file is looked for beside the configuration."""
    from tuneloop.watch.early.rules import read_warnings

    path = None if project is None else project.path_of(project.config.watch.drift.warnings)
    return read_warnings(Path(path)) if path else ()


def _bursts(warn: Any, events: Sequence[Event]) -> list[Any]:
    from tuneloop.watch.early.rules import bursts

    return bursts(warn, events)


def _text_vectors(
    name: str, place: Workspace, raw: bool, stack: ExitStack, quiet: bool
) -> Callable[[Sequence[Event]], Sequence[Event]]:
    """What gives events the vectors of their texts; the release is opened only where one is not known yet.

    Nothing is read, and a line says why, where it cannot be opened or has no vector for each text.
    """
    from tuneloop.core.config import parse_config
    from tuneloop.core.fusion import TEXT_ALONE, read_by
    from tuneloop.core.progress import note
    from tuneloop.data.personal_data import redact
    from tuneloop.inference.inside import ENGINE
    from tuneloop.releases.read import open_release
    from tuneloop.tasks import task_class
    from tuneloop.watch.drift.reading import TextVectors

    opened: list[Any] = []

    def read(inputs: Sequence[Any]) -> Any:
        if not opened:
            try:
                release = open_release(name, place)
                if task_class(parse_config(release.info["config"]).task).layout == "whole":
                    opened.append(stack.enter_context(closing(release.predictor(ENGINE))))
            except (ReleaseError, ModelError) as error:
                note(t("Texts are not read: {error}", error=error.problem))
        if not opened or not getattr(opened[0], "has_vectors", False) or read_by(opened[0]) != TEXT_ALONE:
            return None
        return opened[0].read(inputs).vectors

    vectors = TextVectors(read, place.watched / name / VECTORS, shown=None if raw else redact)
    return partial(vectors, quiet=quiet)


def _reference(name: str, place: Workspace, config: WatchConfig) -> Reference:
    """The reference of a release: the one that was kept, or a new one.

    Raises:
        ConfigError: if the data of the release is gone.
    """
    from tuneloop.data.examples import joined
    from tuneloop.releases.read import open_release
    from tuneloop.releases.scorecard import subject_of
    from tuneloop.watch.drift.reference import from_rows, read_reference, write_reference

    path = place.watched / name / REFERENCE
    if path.is_file():
        kept = read_reference(path)
        if (kept.release, kept.size, kept.raw) == (name, config.drift.reference_events, config.raw):
            return kept
    try:
        subject = subject_of(open_release(name, place), place)
    except DataError as error:
        raise ConfigError(
            t("The data that {name} was measured on is gone: {error}", name=name, error=error.problem),
            t("Set watch.drift.reference: events, so that the first events are the reference."),
        ) from None
    rows = joined(subject.snapshot.split("dev"), subject.snapshot.split("test"))
    with closing(subject.predictor) as predictor:
        made = from_rows(name, predictor, rows, size=config.drift.reference_events, raw=config.raw)
    write_reference(path, made)
    return made
