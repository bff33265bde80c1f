"""The part of Watch that moves: answers, labels, times and feedback as the server keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.studio.pages import watch_charts as charts
from tuneloop.studio.pages.watch_counts import Counted, counting
from tuneloop.studio.view import View
from tuneloop.watch.drift.page import moment

REFRESH_S = 2.0
PERCENT = {"min": 0, "max": 1}


class Live:
    """Figures, charts and their numbers, kept up to date while the page is open.

    Args:
        view: the page.
        release: what is watched.
        span: how far back, of `SPANS_S`.
        watched: gives the content of watch.json, or None.
    """

    def __init__(self, view: View, release: str, span: str, watched: Callable[[], Mapping[str, Any] | None]) -> None:
        self._view, self._release, self._span, self._watched = view, release, span, watched
        self._shown: tuple[Any, ...] = ()
        self._state = ui.label(t("Counting …")).classes("muted").props("role=status").mark("watch-state")
        self._figures = ui.element("div").classes("grid figures")
        with ui.element("div").classes("charts"):
            self._charts = {
                name: charts.draw(charts.frame([], y=y), title)
                for name, title, y in (
                    ("answers", t("Answers and feedback"), {"minInterval": 1}),
                    ("labels", t("Share of each label"), PERCENT),
                    ("latency", t("Time to an answer in ms"), {}),
                    ("accuracy", t("Confidence and accuracy"), PERCENT),
                )
            }
        with ui.expansion(t("The numbers as a table")).classes("numbers"), ui.element("div").classes("wide"):
            self._table = ui.table(columns=_columns(), rows=[], row_key="at", pagination=20)
            self._table.props("dense flat").mark("watch-numbers")
        ui.timer(REFRESH_S, self.refresh, immediate=False)

    async def refresh(self) -> None:
        """Look again; nothing is drawn where nothing is new."""
        try:
            found = await self._view.thread(counting(self._view.studio).look, self._release, self._span)
        except TuneloopError as error:
            self._state.set_text(f"{error.problem} {error.hint}")
            return
        watched = self._watched()
        state = (found.rows, found.newest, watched and watched["created"])
        if state != self._shown:
            self._shown = state
            self._show(found, watched)

    def _show(self, found: Counted, watched: Mapping[str, Any] | None) -> None:
        self._state.set_text(_state(found))
        self._figures.clear()
        with self._figures:
            for name, value, note in _figures(found, watched):
                with ui.element("div").classes("card"):
                    ui.label(name).classes("muted")
                    ui.label(value).classes("big")
                    ui.label(note).classes("muted")
        drawn = {
            "answers": charts.answers(found), "labels": charts.labels(found), "latency": charts.latency(found),
            "accuracy": charts.accuracy(found, watched),
        }  # fmt: skip
        for name, series in drawn.items():
            self._charts[name].options["series"] = series
            self._charts[name].update()
        self._table.rows = [_numbers(row) for row in reversed(found.rows)]


def _state(found: Counted) -> str:
    if found.newest is None:
        return t("No events of this release are kept: serve it with watch.events set to hashes, vectors or texts.")
    kept = (
        t("texts are kept")
        if found.newest.text is not None
        else t("vectors are kept, no texts")
        if found.newest.vector is not None
        else t("hashes are kept, no texts")
    )
    return t("The newest answer: {when} UTC; {kept}.", when=moment(found.newest.at), kept=kept)


def _figures(found: Counted, watched: Mapping[str, Any] | None) -> list[tuple[str, str, str]]:
    """Each figure's name, value and what stands behind it."""
    measured = found.measured
    guess = (watched or {}).get("accuracy", {})
    estimate = next((guess[name] for name in ("difference", "threshold", "confidence") if name in guess), None)
    return [
        (t("answers"), f"{found.events:,}", t("abstained: {count}", count=sum(row.abstained for row in found.rows))),
        (t("right by feedback"), percent(measured.value), interval(measured.low, measured.high, measured.n)),
        (
            t("estimated without labels"),
            percent(estimate["value"]) if estimate else "–",
            interval(estimate["low"], estimate["high"], estimate["n"]) if estimate else t("after tuneloop watch"),
        ),
        (t("pieces of feedback"), f"{found.said:,}", t("answers judged: {count}", count=measured.n)),
        (
            t("time to an answer"),
            f"{milliseconds(found.took_ms[0])} ms",
            f"p95 {milliseconds(found.took_ms[1])} · p99 {milliseconds(found.took_ms[2])} ms",
        ),
    ]


def _columns() -> list[dict[str, Any]]:
    names = {
        "at": t("from (UTC)"), "events": t("answers"), "said": t("feedback"), "right": t("right / judged"),
        "confidence": t("mean confidence"), "p50": "p50 ms", "p95": "p95 ms", "p99": "p99 ms", "labels": t("labels"),
    }  # fmt: skip
    return [{"name": name, "label": label, "field": name, "align": "left"} for name, label in names.items()]


def _numbers(row: Any) -> dict[str, str]:
    p50, p95, p99 = map(milliseconds, row.took_ms)
    named = ", ".join(
        f"{charts.label_name(name)} {count}" for name, count in row.labels.most_common(charts.MOST_LABELS)
    )
    return {
        "at": moment(row.at / 1000), "events": f"{row.events:,}", "said": f"{row.said:,}",
        "right": f"{row.right} / {row.judged}",
        "confidence": "–" if row.confidence is None else f"{row.confidence:.3f}",
        "p50": p50, "p95": p95, "p99": p99, "labels": named,
    }  # fmt: skip


def percent(value: float | None) -> str:
    """A share for people."""
    return "–" if value is None else f"{value:.1%}"


def interval(low: float | None, high: float | None, n: int) -> str:
    """An interval and on how much it rests."""
    if low is None or high is None:
        return t("no data")
    return t("{low:.1%} to {high:.1%} (95 %), {n} answers", low=low, high=high, n=n)


def milliseconds(value: float | None) -> str:
    """A time to two digits."""
    return "–" if value is None else f"{value:.3g}"
