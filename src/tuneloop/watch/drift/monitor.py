"""All that is said of a release's events: windows, alarms, slices, accuracy, new texts; plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tuneloop.core.drifting import DriftConfig
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.drift import DETECTORS
from tuneloop.watch.drift.accuracy import estimated, measured, to_json
from tuneloop.watch.drift.base import Detector
from tuneloop.watch.drift.reference import Reference, from_events
from tuneloop.watch.drift.slices import shares, slices_of, value_of
from tuneloop.watch.drift.stream import Watched, watch_stream, windows_of
from tuneloop.watch.drift.typical import to_label, typical

VERSION = 1


def monitor(
    release: str,
    events: Sequence[Event],
    feedback: Iterable[tuple[Event, Feedback]],
    *,
    reference: Reference | None,
    config: DriftConfig,
    read: Callable[[Sequence[Event]], Sequence[Event]] | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """What watch.json holds. Nothing of it is in a language.

    Equal events give equal findings: every random choice hangs on the number of the window alone, and when there are
    more events the earlier windows stay as they were.

    Args:
        release: what is watched.
        events: the oldest first.
        feedback: of these events.
        reference: what they are compared with; None takes the first events.
        read: gives events the vectors of their texts, in order: see `reading.TextVectors`.

    Raises:
        DataError: if there are no events.
        ConfigError: if there is no such detector.
    """
    if not events:
        raise DataError(t("{name} has no events.", name=release), t("Serve it with events kept, or give --events."))
    detectors = create(config)
    begin = (len(events) - 1) // config.most_events * config.most_events
    seen = events[begin:]
    if reference is None:
        size = -(-config.reference_events // config.window) * config.window
        reference, seen = from_events(release, seen[:size]), seen[size:]
    if read is not None:
        both = read([*reference.events, *seen])
        reference = replace(reference, events=tuple(both[: len(reference.events)]))
        seen = both[len(reference.events) :]
    apart = slices_of(seen, config.slices, most=config.most_slices)
    whole, parts = shares(config.false_alarms, len(apart), watched_apart=bool(config.slices))
    total = len(seen) // config.window * len(detectors)
    with progress(t("watching"), max(total, 1), quiet=quiet) as bar:
        found = watch_stream(
            reference.events, seen, detectors, size=config.window, share=whole, first=config.reference_events,
            tell=bar.update,
        )  # fmt: skip
        sliced = []
        for number, ((by, value), own) in enumerate(apart.items()):
            like = [event for event in reference.events if value_of(event, by) == value]
            told = watch_stream(
                like, own, detectors, size=config.window, share=parts[number], first=config.reference_events,
                seed=(1, number),
            )  # fmt: skip
            sliced.append({"by": by, "value": value, "events": len(own), **_stream(told, own, config.window)})
    spoken = list(feedback)
    last = seen[-_recent(found, len(seen), config.window) :]
    return {
        "version": VERSION,
        "release": release,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "events": len(events),
        "begins_at_event": begin,
        "reference": {"source": reference.source, "events": len(reference.events)},
        "window": config.window,
        "false_alarms": config.false_alarms,
        **_stream(found, seen, config.window),
        "slices": sliced,
        "accuracy": to_json(estimated(reference, last) | ({"measured": measured(spoken)} if spoken else {})),
        "accuracy_windows": [to_json(estimated(reference, each)) for each in windows_of(seen, config.window)],
        "recent_events": len(last),
        **_texts(reference.events, last, config, changed=any(each.alarm for each in found.values())),
    }


def create(config: DriftConfig) -> dict[str, Detector]:
    """The detectors of a configuration by name.

    Raises:
        ConfigError: if there is no such detector.
    """
    return {name: DETECTORS.get(name)() for name in config.detectors or DETECTORS.names()}


def alarms_of(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every alarm of a watch.json with the slice it is of ("" for all events): those of all events first."""
    streams = [("", found), *((f"{each['by']}={each['value']}", each) for each in found["slices"])]
    return [
        {"slice": name, "detector": detector, **told["alarm"]}
        for name, stream in streams
        for detector, told in stream["detectors"].items()
        if told["alarm"]
    ]


def _stream(found: Mapping[str, Watched], events: Sequence[Event], size: int) -> dict[str, Any]:
    windows = windows_of(events, size)
    return {
        "windows": [{"first_at": each[0].at, "last_at": each[-1].at} for each in windows],
        "detectors": {name: _detector(each, windows) for name, each in found.items()},
    }


def _detector(watched: Watched, windows: Sequence[Sequence[Event]]) -> dict[str, Any]:
    alarm = watched.alarm
    return {
        "skipped": watched.skipped,
        "threshold": watched.threshold,
        "alarm": None
        if alarm is None
        else {
            "window": alarm.window,
            "since": alarm.since,
            "at": windows[alarm.window][-1].at,
            "since_at": windows[alarm.since][0].at,
            "effect": alarm.effect and alarm.effect.to_json(),
        },
        "windows": [
            {"p": each.p, "capital": each.capital, "effect": each.effect and each.effect.to_json()}
            for each in watched.tested
        ],
    }


def _recent(found: Mapping[str, Watched], events: int, size: int) -> int:
    """Events that are shown as the newest: since the earliest alarm began, else the last five windows."""
    begins = [watched.alarm.since for watched in found.values() if watched.alarm]
    return max(1, min(events, events - min(begins) * size if begins else 5 * size))


def _texts(
    reference: Sequence[Event], events: Sequence[Event], config: DriftConfig, *, changed: bool
) -> dict[str, Any]:
    """New texts, where something has changed and texts are kept."""
    if not changed:
        return {"new_texts": [], "to_label": []}
    newest = events[-1000:]
    return {
        "new_texts": [
            {"event": newest[row].id, "text": newest[row].text, "pair": newest[row].pair, "label": newest[row].label}
            for row in typical(reference, newest, config.examples)
        ],
        "to_label": [
            {"event": newest[each.row].id, "item": each.item, "score": each.score, "guess": each.guess}
            for each in to_label(reference, newest, config.to_label)
        ],
    }
