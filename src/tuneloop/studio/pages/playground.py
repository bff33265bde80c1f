"""A release to play with: its answers while you type, with what each word does to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.releases.deployment import deployed
from tuneloop.releases.index import model_of, newest, rows
from tuneloop.studio.later import later
from tuneloop.studio.pages import Route
from tuneloop.studio.pages import playground_answer as answer
from tuneloop.studio.pages.playground_chat import chat, documents
from tuneloop.studio.pages.playground_heat import heat
from tuneloop.studio.pages.playground_inputs import Fields
from tuneloop.studio.pages.playground_why import about, more
from tuneloop.studio.view import View, heading, nothing, problem

if TYPE_CHECKING:
    from tuneloop.api.answers import Answering
    from tuneloop.data.examples import Input
    from tuneloop.explain.base import Explanation
    from tuneloop.tasks.base import Prediction, Task

AUTO, ANSWER = "auto", ""
SHAPLEY_ANSWERS = 512


@dataclass(frozen=True)
class Ready:
    """A release that is open.

    Args:
        name: its id.
        task: what it does.
        unexplained: why its answers cannot be explained; empty if they can.
        documents: whether documents travel with it.
    """

    name: str
    task: Task
    unexplained: str
    documents: bool


def overview(view: View) -> None:
    """Choose a release and ask it."""
    made = [row.id for row in rows(view.studio.workspace)][::-1]
    if not made:
        nothing(t("There is no release yet."), t("Make one on the page of releases."))
        return
    name = _chosen(view, made)
    chosen = ui.select(made, value=name, label=t("release")).classes("field").mark("release")
    chosen.on_value_change(lambda event: ui.navigate.to(f"/playground?release={event.value}"))
    later(view, lambda: _open(view, name), lambda ready: _ask(view, ready))


def _chosen(view: View, made: list[str]) -> str:
    """The release of the address, else what answers now, else the newest."""
    asked = view.query.get("release", "")
    if asked:
        return newest(asked, view.studio.workspace)
    return deployed(model_of(made[0]), view.studio.workspace).current or made[0]


def _open(view: View, name: str) -> Ready:
    answering = view.studio.opened(name)
    task = answering.task
    return Ready(name, task, "" if task.generates else answering.refuses(), answering.documents)


def _ask(view: View, ready: Ready) -> None:
    if ready.task.generates:
        chat(view, ready.name, documents=ready.documents)
        return
    Live(view, ready)
    if ready.documents:
        documents(view, ready.name)


class Live:
    """What follows what is typed: the newest answer only, in the place of the one before.

    Args:
        view: the page.
        ready: the release.
    """

    def __init__(self, view: View, ready: Ready) -> None:
        self._view, self._ready = view, ready
        self._newest = 0
        self._item: Input | None = None
        ui.context.client.on_delete(self._next)  # nobody waits in a tab that is closed
        changed = view.act(self.changed)
        self._fields = Fields(ready.task, changed)
        self._answer = ui.element("div").classes("card").props("role=status aria-live=polite").mark("prediction")
        with self._answer:
            ui.label(t("The answer comes while you type.")).classes("muted")
        heading(t("What does each word do?"))
        if ready.unexplained:
            ui.label(t("Answers of this model have no such explanation: {why}", why=ready.unexplained)).mark(
                "unexplained"
            )
        else:
            self._choices(changed)
        self._why = ui.element("div").mark("why")
        self._asked = more(view, ready.name, ready.task, lambda: self._item)

    def _choices(self, changed: Any) -> None:
        methods = {AUTO: t("quick: follows what you type"), "occlusion": t("each word alone (occlusion)")}
        methods["shapley"] = t("fair shares (Shapley), slower")
        labels = {ANSWER: t("the answer"), **{label: label for label in self._ready.task.labels}}
        with ui.element("div").classes("row"):
            self._method = ui.select(methods, value=AUTO, label=t("method"), on_change=changed).classes("field")
            self._method.mark("method")
            self._target = ui.select(labels, value=ANSWER, label=t("explained class"), on_change=changed)
            self._target.classes("field").mark("target").set_visibility(bool(self._ready.task.labels))

    def _next(self) -> int:
        self._newest += 1
        return self._newest

    async def changed(self) -> None:
        """Ask for what stands in the fields now; answers to what stood there before are dropped."""
        number = self._next()
        self._item = None
        for old in (self._why, *self._asked):
            old.classes("stale")  # what stands there is of the text before
        try:
            items = self._fields.inputs
            found = await self._view.thread(self._predict, items, number) if items else []
        except TuneloopError as error:
            self._why.clear()
            self._say(partial(problem, error))
            return
        if number != self._newest or found is None:
            return
        if not items:
            self._why.clear()
            self._say(lambda: ui.label(t("The answer comes while you type.")).classes("muted"))
            return
        self._say(lambda: answer.show(self._ready.task, items, found))
        if not self._ready.unexplained:
            self._item = items[0]
            await self._explain(items[0], number)
        elif self._ready.task.name != "retrieval":
            self._item = items[0]
            self._same_prediction(items[0])

    def _say(self, show: Any) -> None:
        self._answer.clear()
        with self._answer:
            show()

    async def _explain(self, item: Input, number: int) -> None:
        method, options = self._chosen(item)
        found: Explanation | TuneloopError | None
        try:
            found = await self._view.thread(self._explained, item, method, options, number)
        except TuneloopError as error:
            found = error
        if number != self._newest or found is None:
            return
        self._why.clear()
        self._why.classes(remove="stale")
        with self._why:
            if isinstance(found, TuneloopError):
                problem(found)
                return
            heat(found)
            self._same_explanation(item, method, options)

    def _chosen(self, item: Input) -> tuple[str, dict[str, Any]]:
        from tuneloop.explain.quick import quick_method

        if self._method.value == AUTO:
            return quick_method(item)
        return str(self._method.value), {"answers": SHAPLEY_ANSWERS} if self._method.value == "shapley" else {}

    @property
    def _answering(self) -> Answering:
        return self._view.studio.opened(self._ready.name)

    def _predict(self, items: list[Input], number: int) -> list[Prediction] | None:
        """None if something newer is asked for meanwhile."""
        from tuneloop.inference.in_turn import GivenUp

        try:
            return self._answering.predict(items, wanted=lambda: number == self._newest)
        except GivenUp:
            return None

    def _explained(self, item: Input, method: str, options: dict[str, Any], number: int) -> Explanation | None:
        from tuneloop.inference.in_turn import GivenUp

        try:
            return self._answering.explain(
                item, method=method, target=self._target.value or None, options=options,
                wanted=lambda: number == self._newest,
            )  # fmt: skip
        except GivenUp:
            return None

    def _same_explanation(self, item: Input, method: str, options: dict[str, Any]) -> None:
        words = ["--method", method, *(word for key, value in options.items() for word in ("--set", f"{key}={value}"))]
        target = self._target.value
        words += ["--target", target] if target else []
        chosen = (f", target={target!r}" if target else "") + (f", options={options!r}" if options else "")
        name = self._ready.name
        self._view.same(
            about(self._view, "explain", name, item, *words),
            f"tl.api.explain({name!r}, {item!r}, method={method!r}{chosen}{self._view.studio.place})\n"
            f"tl.load({name!r}{self._view.studio.place}).predict([{item!r}])",
        )

    def _same_prediction(self, item: Input) -> None:
        name = self._ready.name
        self._why.clear()
        self._why.classes(remove="stale")
        with self._why:
            self._view.same(
                self._view.studio.arguments("predict", name, "FILE"),
                f"tl.load({name!r}{self._view.studio.place}).predict([{item!r}])",
            )


ROUTES = [Route("/playground", lambda: t("Playground"), overview, icon="science")]
