"""Making a release better, and deciding which one answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from nicegui import ui

from tuneloop import api
from tuneloop.core.i18n import t
from tuneloop.core.paths import check_id
from tuneloop.releases.deployment import names as deployed_names
from tuneloop.releases.index import model_of, of_model, rows
from tuneloop.studio.pages import Route
from tuneloop.studio.pages.update_decision import decision as show_decision
from tuneloop.studio.pages.update_deploy import Deployed
from tuneloop.studio.pages.update_form import UpdateForm
from tuneloop.studio.pages.watch import folded
from tuneloop.studio.tables import Cell, Way, table
from tuneloop.studio.view import View, heading, link, nothing

LOOK_S = 2.0
SHOWN = 50


async def page(view: View) -> None:
    """One model: what answers, how it is changed, updates."""
    models = await view.thread(_models, view)
    if not models:
        nothing(t("There is no release to update yet."), t("Train a model and release it first."))
        return
    asked = view.query.get("name")
    name = check_id(asked) if asked else next(iter(models))
    releases = models.get(name, [])
    if len(models) > 1 or name not in models:
        ui.select(
            list(models), value=name if name in models else None, label=t("Model"),
            on_change=lambda event: ui.navigate.to(f"/update?name={quote(event.value)}"),
        ).classes("field")  # fmt: skip
    if not releases:
        nothing(t("There is no release of {name}.", name=name))
        return
    heading(t("Which release answers"))
    await Deployed(view, name, releases).place()
    UpdateForm(view, name, releases)
    await _Decisions(view, name).place()


async def one(view: View) -> None:
    """One update's decision."""
    from tuneloop.loop.decisions import decision

    found = await view.thread(decision, view.parts["name"], view.studio.workspace)
    link(t("All updates of {name}", name=found["name"]), f"/update?name={quote(str(found['name']))}")
    show_decision(view, found)
    folded(t("The page of this update"), f"/report/update/{found['id']}")


class _Decisions:
    """Updates of a model, the newest first; new ones come by themselves."""

    def __init__(self, view: View, name: str) -> None:
        self._view, self._name = view, name
        self._seen: list[str] | None = None

    async def place(self) -> None:
        heading(t("Decisions"))
        self._part = ui.element("div")
        await self.look()
        ui.timer(LOOK_S, self._view.act(self.look), immediate=False)

    async def look(self) -> None:
        """Read them where a folder has come or gone."""
        folder = self._view.studio.workspace.updates
        seen = sorted(path.name for path in folder.glob("*") if path.name != "rows") if folder.is_dir() else []
        if seen == self._seen:
            return
        self._seen = seen
        found = await self._view.thread(api.updates, self._name, workspace=self._view.studio.workspace.root)
        self._part.clear()
        with self._part:
            self._draw(found)

    def _draw(self, found: list[dict[str, Any]]) -> None:
        if not found:
            ui.label(t("No update has decided anything yet.")).classes("muted")
            return
        words = {"promote": t("promoted"), "hold": t("held"), "ask": t("a person has to decide")}
        headers = [t("when (UTC)"), t("update"), t("went on from"), t("verdict"), t("tried"), t("release")]
        rows: list[list[Cell]] = []
        for each in found[:SHOWN]:
            steps = ", ".join(str(step["step"]) for step in each["tried"])
            when, made = str(each["created"]).replace("T", " ")[:16], each["release"] or "–"
            way = Way(each["id"], f"/update/{each['id']}")
            rows.append([when, way, each["current"], words[each["verdict"]], steps, made])
        table(headers, rows, name=t("Decisions"))


def _models(view: View) -> dict[str, list[str]]:
    """Releases by model, the newest first; what is deployed first, then the model whose release is the newest."""
    workspace = view.studio.workspace
    known = rows(workspace)
    found = dict.fromkeys([*deployed_names(workspace), *(model_of(row.id) for row in reversed(known))])
    return {name: of_model(name, known)[::-1] for name in found}


ROUTES = [
    Route("/update", lambda: t("Update"), page, icon="published_with_changes"),
    Route("/update/{name}", lambda: t("Update"), one),
]
