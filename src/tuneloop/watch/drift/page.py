"""The page of a watch.json, in the language in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import ACCENT, INK, MUTED, WARN, bullets, figures, gap, page, paragraph, plot, section, table
from tuneloop.watch.drift import DETECTORS
from tuneloop.watch.drift import accuracy as accuracies
from tuneloop.watch.drift.monitor import alarms_of
from tuneloop.watch.early.rules import Warned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def watch_html(found: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [_summary(found), _accuracy(found), _charts(found), _slices(found), _warnings(found), _texts(found)]
    return page(t("Watching {name}", name=found["release"]), [part for part in parts if part is not None])


def alarm_sentence(alarm: Mapping[str, Any]) -> str:
    """An alarm of `alarms_of` in words."""
    kind = DETECTORS.get(alarm["detector"])
    said = kind.sentence(alarm["effect"]) if alarm["effect"] else kind.title()
    where = f" ({alarm['slice']})" if alarm["slice"] else ""
    return t("Since {since}{where}: {said}", since=moment(alarm["since_at"]), where=where, said=said)


def accuracy_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """What each figure of accuracy is, its value with the interval, and on how many answers it rests."""
    return [[accuracies.title(name), _share(each), str(each["n"])] for name, each in found["accuracy"].items()]


def accuracy_headers() -> list[str]:
    """The names of the columns of `accuracy_rows`."""
    return [t("accuracy"), t("value and 95 % interval"), t("answers")]


def moment(at: float) -> str:
    """A moment, UTC, to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def promise(found: Mapping[str, Any]) -> str:
    """What is promised of false alarms."""
    return t(
        "While nothing changes, the chance that any figure ever raises an alarm, however many windows come, is at most "
        "{chance:.0%}; that holds if texts then come in no order that matters.",
        chance=found["false_alarms"],
    )


def _summary(found: Mapping[str, Any]) -> Markup:
    source = (
        t("its dev and test rows")
        if found["reference"]["source"] == "release"
        else t("the first events")
    )  # fmt: skip
    lead = t(
        "{events} events, {windows} windows of {size}; the reference: {rows} rows, {source}.",
        events=found["events"], windows=len(found["windows"]), size=found["window"],
        rows=found["reference"]["events"], source=source,
    )  # fmt: skip
    parts = [paragraph(lead + gap() + promise(found), "lead")]
    alarms = alarms_of(found)
    if alarms:
        parts += [paragraph(t("Alarms: {count}", count=len(alarms)), "worse"), bullets(map(alarm_sentence, alarms))]
    else:
        parts.append(paragraph(t("No figure raised an alarm. That is no proof that nothing has changed."), "unclear"))
    return Markup("\n").join(parts)


def _accuracy(found: Mapping[str, Any]) -> Markup | None:
    if not found["accuracy"]:
        return None
    told = t("Of the newest {count} events; what was measured is of all that people spoke about.",
             count=found["recent_events"])  # fmt: skip
    parts = [paragraph(told, "note"), table(accuracy_headers(), accuracy_rows(found))]
    series = [each.get("difference") or each.get("confidence") for each in found["accuracy_windows"]]
    if sum(each is not None for each in series) > 1:
        parts.append(plot(lambda axes: _band(axes, series), caption=t("estimated accuracy, window by window")))
    return section(t("Accuracy"), *parts)


def _charts(found: Mapping[str, Any]) -> Markup | None:
    drawn = [
        plot(_drawer(each), caption=DETECTORS.get(name).title())
        for name, each in found["detectors"].items()
        if not each["skipped"]
    ]
    left = [DETECTORS.get(name).title() for name, each in found["detectors"].items() if each["skipped"]]
    notes = [
        paragraph(
            t("Blue: the figure of each window. Grey: the reference. Red: since when it has changed, where it has."),
            "note",
        )
    ]
    if left:
        names = ", ".join(left)
        notes.append(paragraph(t("Not watched, as events do not tell it: {names}.", names=names), "note"))
    if not drawn:
        return section(t("Figures over time"), *notes[1:])
    return section(t("Figures over time"), notes[0], figures(*drawn), *notes[1:])


def _drawer(told: Mapping[str, Any]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        points = [(number + 1, each["effect"]) for number, each in enumerate(told["windows"]) if each["effect"]]
        axes.plot([x for x, _ in points], [effect["reference"] for _, effect in points], color=MUTED, linewidth=1)
        axes.plot([x for x, _ in points], [effect["value"] for _, effect in points], color=INK, linewidth=1.2)
        if told["alarm"]:
            axes.axvspan(told["alarm"]["since"] + 0.5, len(told["windows"]) + 0.5, color=WARN, alpha=0.15)
        axes.set_xlabel(t("window"))

    return draw


def _band(axes: Axes, series: Sequence[Mapping[str, Any] | None]) -> None:
    points = [(number + 1, each) for number, each in enumerate(series) if each]
    xs = [x for x, _ in points]
    axes.fill_between(xs, [e["low"] for _, e in points], [e["high"] for _, e in points], color=ACCENT, alpha=0.2)
    axes.plot(xs, [e["value"] for _, e in points], color=ACCENT)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(t("window"))


def _slices(found: Mapping[str, Any]) -> Markup | None:
    if not found["slices"]:
        return None
    rows = []
    for each in found["slices"]:
        raised = [DETECTORS.get(name).title() for name, told in each["detectors"].items() if told["alarm"]]
        rows.append([f"{each['by']}={each['value']}", each["events"], len(each["windows"]), ", ".join(raised) or "-"])
    note = t("Half of the allowed false alarms is for all events together, the other half is shared by the slices.")
    return section(
        t("Slices"), paragraph(note, "note"), table([t("slice"), t("events"), t("windows"), t("alarms")], rows)
    )


def _warnings(found: Mapping[str, Any]) -> Markup | None:
    if not found.get("warnings"):
        return None
    rows = [[moment(each["since"]), moment(each["at"]), Warned.sentence(each)] for each in found["warnings"]]
    return section(t("Early warnings"), table([t("since"), t("seen"), t("what")], rows))


def _texts(found: Mapping[str, Any]) -> Markup | None:
    if not found["new_texts"]:
        return None
    shown = [[each["text"], each["label"] or "-", each["event"]] for each in found["new_texts"]]
    note = t("watch.json lists {count} texts that are worth labelling.", count=len(found["to_label"]))
    return section(
        t("The most typical new texts"), table([t("text"), t("answer"), t("event")], shown), paragraph(note, "note")
    )


def _share(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
