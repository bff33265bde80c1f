"""What a page builds with: the studio, what the address says, and the pieces that all pages share."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, TypeVar

from nicegui import ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import language, t, use_language
from tuneloop.studio.jobs import Job, command_line
from tuneloop.studio.state import Studio

T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """One page in one tab.

    Args:
        studio: what is looked at.
        parts: what stands in the braces of the path.
        query: what stands behind the question mark.
    """

    studio: Studio
    parts: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    async def thread(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """What `work` gives, computed beside the event loop, in the language of the page.

        Everything that reads a model, a table or many files is called so: the pages of all tabs share one loop.
        """
        code = language()

        def run() -> T:
            use_language(code)
            return work(*arguments, **named)

        return await asyncio.get_running_loop().run_in_executor(None, contextvars.Context().run, run)

    def act(self, handler: Callable[..., Awaitable[None] | None]) -> Callable[..., Awaitable[None]]:
        """`handler` for a button or a key: an error of ours is told, and the page stays as it is."""

        async def handle(*arguments: Any) -> None:
            try:
                found = handler(*arguments)
                if isawaitable(found):
                    await found
            except TuneloopError as error:
                ui.notify(f"{error.problem} {error.hint}", type="negative", timeout=0, close_button=t("Close"))

        return handle

    def start(self, arguments: Sequence[str]) -> Job:
        """Start a command as a job and say so; what it prints is on the page of jobs."""
        job = self.studio.jobs.start(arguments)
        ui.notify(t("Started: {command}", command=job.command), type="positive")
        return job

    def same(self, arguments: Sequence[str], python: str, *, action: str = "") -> None:
        """The same as a command line and as Python, to copy.

        Args:
            arguments: what stands behind `tuneloop`.
            python: lines that begin with `import tuneloop as tl`, without that line.
            action: what is done so, where a page has several actions.
        """
        title = t("The same without the studio")
        with ui.expansion(f"{action}: {title}" if action else title, icon="terminal").classes("same"):
            code(t("Command line"), command_line(arguments), "bash")
            code("Python", f"import tuneloop as tl\n{python}", "python")


def code(title: str, text: str, kind: str) -> None:
    """Lines to copy."""
    # no ui.code: it renders Markdown, of which a text with ``` in it can leave the block
    with ui.element("div").classes("row"):
        ui.label(title).classes("muted")
        copy = ui.button(icon="content_copy", on_click=lambda: ui.clipboard.write(text)).props(
            "flat round dense size=sm"
        )
        copy.props(f'aria-label="{t("Copy")}"')
    ui.label(text).classes("code").props(f"role=group lang={kind} tabindex=0")


def problem(error: TuneloopError) -> None:
    """An error in the place of what could not be shown."""
    with ui.element("div").classes("card bad").props("role=alert"):
        ui.label(error.problem)
        if error.hint:
            ui.label(error.hint).classes("muted")


def nothing(text: str, hint: str = "") -> None:
    """What a page says that has nothing to show yet, and what to do first."""
    with ui.element("div").classes("card empty"):
        ui.label(text)
        if hint:
            ui.label(hint).classes("muted")


def heading(text: str, level: int = 2) -> None:
    """A heading as browsers and screen readers know it."""
    with ui.element(f"h{level}"):
        ui.label(text)


def facts(pairs: Mapping[str, Any]) -> None:
    """Names and values, below one another."""
    with ui.element("dl").classes("facts"):
        for name, value in pairs.items():
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                ui.label(str(value))


def report(title: str, path: str) -> None:
    """A page that a command wrote, in a box that can neither load anything nor reach the studio.

    Args:
        title: what it is called where it cannot be seen.
        path: below /report/, made of our own ids.
    """
    frame = ui.element("iframe").classes("report").props('sandbox="allow-scripts allow-popups" loading=lazy')
    frame.props["title"], frame.props["src"] = title, path


def link(text: str, path: str) -> ui.link:
    """A way to another page of the studio; `path` is made of our own ids."""
    return ui.link(text, path)
