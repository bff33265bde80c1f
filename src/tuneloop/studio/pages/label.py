"""Labelling: one text, one key, and how far people are and agree."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlencode

from nicegui import context, ui

from tuneloop import api
from tuneloop.api.labelling import open_labels
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.project import Project
from tuneloop.labelling.desk import Desk, asks_here
from tuneloop.labelling.importing import check_annotator
from tuneloop.labelling.kinds import KINDS, kind_of
from tuneloop.studio.pages import Route
from tuneloop.studio.pages.label_ask import Asking
from tuneloop.studio.pages.label_more import more
from tuneloop.studio.tables import table
from tuneloop.studio.view import View, heading, nothing, problem

ANNOTATOR = "tuneloop_annotator"
YEAR_S = 365 * 24 * 3600
MOST_PEOPLE = 100


async def overview(view: View) -> None:
    """Who labels, the text that waits, and what is known so far."""
    project = view.studio.project
    if project is None:
        nothing(t("There is no project here yet."), t("Begin on the page of data."))
        return
    kind_of(project.config.task.type)
    who = view.query.get("who") or unquote(context.client.request.cookies.get(ANNOTATOR, ""))
    if not who:
        _ask_name(view)
        return
    who = check_annotator(who, place="who")
    people = _people(view.query.get("people", "1"))
    disagreed = view.query.get("queue") == "disagreed"
    ui.navigate.history.replace(address(who, people, disagreed=disagreed))  # so that a reload stays with this person
    _who(who)
    try:
        labels = open_labels(project)
        store = labels.__enter__()
    except DataError as error:
        if (project.workspace.labels / project.config.name).exists():
            problem(error)
        else:
            nothing(t("No text was suggested for labelling yet."), t("Get the first ones below."))
        more(view, who, people)
        return
    context.client.on_delete(lambda: labels.__exit__(None, None, None))
    if not asks_here(store.task):
        _elsewhere(view, who, store.task)
    else:
        desk = Desk(store, who, per_item=people, disagreed=disagreed)
        await Asking(view, desk, kind=KINDS[store.task], names=store.names).build()
    _queues(who, people, disagreed=disagreed)
    more(view, who, people)
    await _status(view, project)
    view.same(
        ["label", "next", "--annotator", who], f"for item in tl.label_next(annotator={who!r}):\n    print(item.text)"
    )


def address(who: str, people: int = 1, *, disagreed: bool = False) -> str:
    """The page of one person's texts."""
    asked = {"who": who} | ({"people": people} if people > 1 else {}) | ({"queue": "disagreed"} if disagreed else {})
    return f"/label?{urlencode(asked)}"


def _people(given: str) -> int:
    return min(int(given), MOST_PEOPLE) if given.isdecimal() and int(given) > 0 else 1


def _ask_name(view: View, now: str = "") -> None:
    """The name is kept by the browser; the address of the page has it too, for tabs of different people."""

    def begin() -> None:
        who = check_annotator(name.value or "", place=t("Your name"))
        ui.run_javascript(
            f"document.cookie = '{ANNOTATOR}={quote(who, safe='')};path=/;max-age={YEAR_S};samesite=strict'"
        )
        ui.navigate.to(address(who))

    with ui.element("div").classes("row"):
        name = ui.input(t("Your name"), value=now or api.labelling.default_annotator()).mark("annotator")
        name.on("keydown.enter", view.act(begin))
        ui.button(t("Begin"), on_click=view.act(begin))
    ui.label(t("Answers are kept under this name, so that people can be compared.")).classes("muted")


def _who(who: str) -> None:
    with ui.element("div").classes("row"):
        ui.label(t("Labelling as {who}", who=who)).classes("muted")
        ui.button(t("Somebody else"), on_click=_forget).props("flat dense no-caps")


def _forget() -> None:
    ui.run_javascript(f"document.cookie = '{ANNOTATOR}=;path=/;max-age=0;samesite=strict'; location.href = '/label'")


def _queues(who: str, people: int, *, disagreed: bool) -> None:
    """The two queues of a person, and how many people are to answer each text."""
    with ui.element("div").classes("row"):
        if disagreed:
            ui.link(t("Back to texts that nobody has answered"), address(who, people))
        else:
            ui.link(t("Settle what others disagree on"), address(who, people, disagreed=True))
        options = {count: str(count) for count in sorted({1, 2, 3, 5, people})}
        select = ui.select(options, value=people, label=t("People for each text"))
        select.on_value_change(lambda event: ui.navigate.to(address(who, event.value, disagreed=disagreed)))
        select.classes("choice")


def _elsewhere(view: View, who: str, task: str) -> None:
    with ui.element("div").classes("card"):
        ui.label(t("The task {task} asks for stretches of texts, which cannot be marked on this page.", task=task))
        ui.label(t("Label in a terminal, or in Label Studio, doccano or Argilla by way of a file:")).classes("muted")
        for line in (f"tuneloop label next --annotator {quote(who)}", "tuneloop label next --to texts.json "
                     "--format label-studio", "tuneloop label import labelled.json --format label-studio"):  # fmt: skip
            ui.label(line).classes("code")


async def _status(view: View, project: Project) -> None:
    """How much is labelled by whom, and how far people agree."""
    heading(t("So far"))

    @ui.refreshable
    async def figures() -> None:
        found = await view.thread(api.label_status, project)
        _figures(found)

    await figures()
    ui.button(t("Count again"), icon="refresh", on_click=view.act(figures.refresh)).props("flat")


def _figures(found: dict[str, Any]) -> None:
    with ui.element("dl").classes("facts").props("role=status").mark("figures"):
        for name, value in _counts(found).items():
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(value)
    people = [[each["annotator"], each["answers"], each["skipped"], _seconds(each["seconds"])]
              for each in found["annotators"]]  # fmt: skip
    if people:
        table([t("annotator"), t("answers"), t("skipped"), t("seconds each")], people, numbers=range(1, 4))
    if found["labels"]:
        table([t("label"), t("texts")], [[name, str(count)] for name, count in found["labels"].items()], numbers=[1])
    pairs = [
        [
            " / ".join(each["annotators"]),
            each["items"],
            f"{each['same']:.3f}",
            f"{each['low']:.3f}",
            f"{each['high']:.3f}",
        ]
        for each in (found["agreement"] or {}).get("pairs", ())
    ]
    if pairs:
        table([t("two people"), t("texts"), t("the same"), t("from"), t("to")], pairs, numbers=range(1, 5))


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f}"


def _counts(found: dict[str, Any]) -> dict[str, str]:
    agreed, told = found["agreement"], t("no text has two answers yet")
    if agreed and agreed["alpha"] is None:
        told = t("Agreement cannot be told: all answers are the same.")
    elif agreed:
        told = t("{alpha:.3f} (95 %: {low:.3f} to {high:.3f}) on {items} texts", **{
            key: agreed[key] for key in ("alpha", "low", "high", "items")})  # fmt: skip
    return {
        t("Texts"): f"{found['items']:,}", t("Labelled"): f"{found['labelled']:,}",
        t("Without an answer"): f"{found['waiting']:,}", t("People disagree"): f"{found['disagreed']:,}",
        t("Tied"): f"{found['tied']:,}", t("Krippendorff's alpha"): told,
    }  # fmt: skip


ROUTES = [Route("/label", lambda: t("Labelling"), overview, icon="label")]
