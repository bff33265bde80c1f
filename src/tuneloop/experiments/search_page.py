"""report.html of a search: the best settings, what mattered, and every trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import INK, MUTED, WARN, bullets, figures, page, paragraph, plot, section, table
from tuneloop.core.progress import format_duration
from tuneloop.evaluation.names import decimals, metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def search_html(found: Mapping[str, Any]) -> str:
    """The whole page, in the language in force, from what search.json holds."""
    parts = [
        paragraph(outcome(found), "lead better"),
        section(t("Trials"), figures(_history(found), *_axes(found)), table(headers(found), rows(found))),
        section(t("How to read this"), bullets(_notes(found))),
    ]
    return page(t("Search: {name}", name=found["name"]), parts)


def outcome(found: Mapping[str, Any]) -> str:
    """The best settings and their figure, in one sentence."""
    best = found["best"]
    return t(
        "The best of {trials} trials has {metric} {value} on dev: {settings}. It is the run {run}.",
        trials=len(found["trials"]),
        metric=metric_name(found["metric"]),
        value=decimals(best["value"]),
        settings=", ".join(f"{name}: {_shown(value)}" for name, value in best["settings"].items()),
        run=best["run"],
    )


def headers(found: Mapping[str, Any]) -> list[str]:
    """The columns of `rows`."""
    return [t("trial"), metric_name(found["metric"]), t("state"), *found["space"], t("time")]


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """One row for each trial, the best first."""
    states = {"finished": t("finished"), "given up": t("given up"), "failed": t("failed")}
    order = sorted(found["trials"], key=lambda each: -(each["value"] if each["value"] is not None else -1e9))
    return [
        [
            str(each["trial"]),
            decimals(each["value"]),
            each["failed"] or states[each["state"]],
            *(_shown(each["settings"].get(name)) for name in found["space"]),
            "" if each["seconds"] is None else format_duration(each["seconds"]),
        ]
        for each in order
    ]


def _notes(found: Mapping[str, Any]) -> list[str]:
    given_up = sum(each["state"] == "given up" for each in found["trials"])
    notes = [
        t("Every trial was judged on dev alone. The best of many is lucky as well as good: expect less on test."),
        t(
            "{count} trials were given up after an evaluation in which they were behind; their figure is the highest "
            "that they reached.",
            count=given_up,
        ),
    ]
    for name, share in found["importance"].items():
        notes.append(
            t(
                "{setting} explains {share} of the differences between finished trials.",
                setting=name,
                share=f"{share:.0%}",
            )
        )
    return notes


def _history(found: Mapping[str, Any]) -> Markup:
    """The figure of each trial in order, and the best so far."""
    known = [each for each in found["trials"] if each["value"] is not None]

    def draw(axes: Axes) -> None:
        _points(axes, [each["trial"] for each in known], known)
        done = [each for each in known if each["state"] == "finished"]
        best = list(accumulate((each["value"] for each in done), max))
        axes.step([each["trial"] for each in done], best, where="post", color=MUTED, linewidth=1)
        axes.set_xlabel(t("trial"))
        axes.set_ylabel(metric_name(found["metric"]))

    return plot(draw, caption=t("Trials in order; the line is the best so far, rings are trials given up."))


def _axes(found: Mapping[str, Any]) -> list[Markup]:
    """For each setting, the figures of its values."""
    return [_axis(found, name) for name in found["space"]]


def _axis(found: Mapping[str, Any], name: str) -> Markup:
    known = [each for each in found["trials"] if each["value"] is not None and name in each["settings"]]
    numeric = all(isinstance(each["settings"][name], int | float) for each in known)

    def draw(axes: Axes) -> None:
        values = [each["settings"][name] if numeric else str(each["settings"][name]) for each in known]
        _points(axes, values, known)
        if found["space"][name].get("log"):
            axes.set_xscale("log")
        axes.set_xlabel(name)
        axes.set_ylabel(metric_name(found["metric"]))

    return plot(draw, caption=name, width=3.6, height=2.8)


def _points(axes: Axes, places: Sequence[Any], trials: Sequence[Mapping[str, Any]]) -> None:
    for place, each in zip(places, trials, strict=True):
        done = each["state"] == "finished"
        axes.scatter([place], [each["value"]], s=24, color=INK if done else WARN, facecolors=INK if done else "none")


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
