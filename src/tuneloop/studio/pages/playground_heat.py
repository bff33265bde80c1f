"""What each word does to an answer: words on coloured grounds with their numbers, and the same as a table."""

from __future__ import annotations

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.explain import show
from tuneloop.explain.base import Explanation
from tuneloop.studio.tables import table

OPEN_ROWS = 12
"""Rows up to which the table is open."""


def heat(found: Explanation) -> None:
    """The text, its numbers, and how sure they are."""
    lead, *others = show.sentences(found)
    ui.label(lead).classes("text")
    for part in show.parts_of(found):
        with ui.element("p").classes("heat").mark("heat"):
            for gap, number in show.pieces(found, part):
                ui.label(gap)
                if number is not None:
                    _word(found, number)
    _legend(found)
    for sentence in others:
        ui.label(sentence).classes("muted text")
    rows = show.rows(found)
    with ui.expansion(t("The numbers of all parts"), value=len(rows) <= OPEN_ROWS).classes("same"):
        table(show.headers(found), rows, name=t("The numbers of all parts"), numbers=range(1, len(show.headers(found))))


def _word(found: Explanation, number: int) -> None:
    share, value, unit = show.share_of(found, number), found.values[number], found.units[number]
    if share < show.PALE:
        ui.label(unit.text)
        return
    with ui.element("span").classes("word " + ("for" if value > 0 else "against")).style(f"--share:{share:.2f}"):
        ui.label(unit.text)
    ui.label(f"{value:+.2f}").classes("value")


def _legend(found: Explanation) -> None:
    what = found.label or t("a greater number")
    with ui.element("p").classes("heat small"):
        with ui.element("span").classes("word for").style("--share:.7"):
            ui.label(t("solid line, +"))
        ui.label(" " + t("speaks for {label}", label=what) + "   ")
        with ui.element("span").classes("word against").style("--share:.7"):
            ui.label(t("broken line, -"))
        ui.label(" " + t("speaks against it"))
