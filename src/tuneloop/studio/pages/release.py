"""Releases: the list, and one with its card, its reports, its proof, its files and where it comes from."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from tuneloop.core.i18n import t
from tuneloop.evaluation.names import figure_text, metric_name
from tuneloop.releases.index import Row, find, model_of, rows
from tuneloop.releases.listed import Listed, listed
from tuneloop.releases.read import Release, open_release
from tuneloop.studio.later import later
from tuneloop.studio.pages import Route
from tuneloop.studio.pages.release_actions import act_on, make_release
from tuneloop.studio.pages.release_figures import figures
from tuneloop.studio.pages.release_files import audit, card, files, forms, gate, report
from tuneloop.studio.pages.release_origin import came_from
from tuneloop.studio.tables import Way, table
from tuneloop.studio.view import View, heading, nothing

SHOWN = 50
"""Releases of one page of the list."""


def overview(view: View) -> None:
    """Every release, the newest first."""
    made = rows(view.studio.workspace)[::-1]
    make_release(view, {row.run for row in made})
    heading(t("Releases"))
    if not made:
        nothing(t("There is no release yet."), t("Tune a model on the page of runs, then make a release of the run."))
        return
    number = _number(view.query.get("page", ""), len(made))
    shown = made[number * SHOWN : (number + 1) * SHOWN]
    later(view, lambda: listed(shown, view.studio.workspace), _list)
    _turn(number, len(made))


def state_text(state: str) -> str:
    """Whether a release answers, in words."""
    return {"current": t("answers"), "shadow": t("tried as a shadow"), "canary": t("tried as a canary")}.get(state, "")


def _list(found: list[Listed]) -> None:
    table([t("release"), t("model"), t("figure"), t("engine"), t("created"), t("deployed")], map(_row, found))


def _row(each: Listed) -> list[str | Way]:
    figure = f"{metric_name(each.metric)} {figure_text(each.figure)}" if each.figure else ""
    name = each.row.id
    created = each.row.created[:16].replace("T", " ")
    return [Way(name, f"/release/{name}"), model_of(name), figure, each.row.engine, created, state_text(each.state)]


def _number(given: str, count: int) -> int:
    """The page of the list that the address asks for, from 0; the last where there are not so many."""
    return min(int(given) if given.isdecimal() and len(given) < 9 else 0, (count - 1) // SHOWN)


def _turn(number: int, count: int) -> None:
    with ui.element("div").classes("row"):
        if number:
            ui.link(t("newer"), f"/release?page={number - 1}")
        if (number + 1) * SHOWN < count:
            ui.link(t("older"), f"/release?page={number + 1}")


def one(view: View) -> None:
    """A release, one part of it at a time."""
    name, part = view.parts["name"], view.parts.get("part", "")
    row = find(name, view.studio.workspace)
    release = open_release(name, view.studio.workspace, verify=False)
    heading(name)
    known = parts()
    with ui.element("nav").classes("tabs") as tabs:
        tabs.props["aria-label"] = t("Parts of the release")
        for key, (title, _) in known.items():
            way = ui.link(title, f"/release/{name}/{key}".rstrip("/"))
            if key == part:
                way.props("aria-current=page")
        ui.link(t("Try it"), f"/playground?release={name}")
    if part not in known:
        nothing(t("A release has no such part."))
        return
    known[part][1](view, row, release)


Part = Callable[[View, Row, Release], None]


def parts() -> dict[str, tuple[str, Part]]:
    """What a release's page shows, by the end of its address: title, and what builds it."""
    return {
        "": (t("Figures"), _figures),
        "card": (t("Model card"), lambda view, row, release: card(view, release)),
        "report": (t("Report"), lambda view, row, release: report(view, release)),
        "audit": (t("Audit"), lambda view, row, release: audit(view, release)),
        "gate": (t("Gate"), lambda view, row, release: gate(view, release)),
        "forms": (t("Forms"), lambda view, row, release: forms(view, release)),
        "files": (t("Files"), lambda view, row, release: files(view, release)),
        "origin": (t("Origin"), lambda view, row, release: came_from(view, release)),
    }


def _figures(view: View, row: Row, release: Release) -> None:
    figures(view, row, release)
    act_on(view, release)


ROUTES = [
    Route("/release", lambda: t("Release"), overview, icon="inventory_2"),
    Route("/release/{name}", lambda: t("Release"), one),
    Route("/release/{name}/{part}", lambda: t("Release"), one),
]
