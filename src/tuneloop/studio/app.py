"""The studio as an ASGI application: NiceGUI's pages, reports of the workspace, and the guard around them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from nicegui import Client, app, context, ui

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import LANGUAGES, ask_language, language, t
from tuneloop.serve.gate import ROUTES
from tuneloop.serve.security import Guard
from tuneloop.studio.frame import DARK, frame
from tuneloop.studio.guard import LANGUAGE, Receive, Scope, Send, StudioGuard
from tuneloop.studio.pages import Route, routes
from tuneloop.studio.reports import report_path
from tuneloop.studio.state import Studio
from tuneloop.studio.view import View, problem

logger = logging.getLogger("tuneloop.studio")

YEAR_S = 365 * 24 * 3600
STYLE = Path(__file__).with_name("studio.css")
REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)
"""A report may run its own script and load nothing; it is of another origin than the studio."""

_languages: WeakKeyDictionary[Client, str] = WeakKeyDictionary()


def create_studio(studio: Studio, *, host: str, api_key: str | None) -> FastAPI:
    """The application; a process can have one, as NiceGUI knows one.

    Args:
        studio: what the pages look at.
        host: the address it listens on, which decides who may come.
        api_key: what people must give first; needed unless the address is localhost.

    Raises:
        ServeError: if the key is missing where it is needed, or too short.
    """
    guard = Guard(host=host, api_key=api_key)
    outer = FastAPI(title="tuneloop studio", docs_url=None, redoc_url=None, openapi_url=None)
    known = routes()
    _add_settings(outer, first=known[0].path)
    _add_reports(outer, studio)
    for route in known:
        _add_page(route, known, studio)
    ask_language(_of_page)
    app.on_exception(_tell)
    ui.add_css(STYLE.read_text(encoding="utf-8"), shared=True)
    ui.run_with(outer, title="tuneloop", favicon=FAVICON, tailwind=False, show_welcome_message=False, dark=None)
    outer.add_middleware(StudioGuard, guard=guard, api_key=api_key)
    return outer


FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="11" fill="none" '
    'stroke="#4269d0" stroke-width="5" stroke-dasharray="52 18" stroke-linecap="round"/></svg>'
)


class LocalPage(ui.page):
    """A page whose markup says which language it is in."""

    def resolve_language(self) -> Literal["zh-CN", "en-US"]:
        """That of the request that is being answered."""
        return "zh-CN" if language() == "zh" else "en-US"


def _add_page(route: Route, known: list[Route], studio: Studio) -> None:
    async def build(request: Request) -> None:
        _languages[context.client] = language()
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        view = View(studio, request.path_params, request.query_params)
        with frame(route, known, studio=studio, here=here, dark=request.cookies.get(DARK, "")):
            try:
                found = route.build(view)
                if isawaitable(found):
                    await found
            except TuneloopError as error:
                problem(error)

    LocalPage(route.path, response_timeout=60)(build)


def _add_settings(outer: FastAPI, *, first: str) -> None:
    @outer.get("/", include_in_schema=False)
    async def home() -> Response:
        return RedirectResponse(first, 303)

    @outer.get("/set", include_in_schema=False)
    async def choose(code: str = Query(alias="language"), back: str = "/") -> Response:
        """Keep a choice in the browser and go back to a page of ours."""
        inside = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
        answer = RedirectResponse(back if inside else "/", 303)
        if code in LANGUAGES:
            answer.set_cookie(LANGUAGE, code, max_age=YEAR_S, samesite="strict", httponly=True)
        return answer


def _add_reports(outer: FastAPI, studio: Studio) -> None:
    @outer.get("/report/{kind}/{name}", include_in_schema=False)
    def report(kind: str, name: str) -> Response:
        """A page that a command wrote, in a box of its own."""
        try:
            path = report_path(kind, name, studio.workspace)
            return HTMLResponse(path.read_bytes(), headers={"Content-Security-Policy": REPORT_POLICY})
        except (TuneloopError, OSError):
            return HTMLResponse(t("There is no such report."), 404, headers={"Content-Security-Policy": REPORT_POLICY})


def _of_page() -> str | None:
    """The language of the page whose elements are being built or whose button was pressed."""
    try:
        return _languages.get(context.client)
    except RuntimeError:
        return None


def _tell(error: Exception) -> None:
    """What no page expected: into the log with its place, and onto the page."""
    logger.error("in the studio", exc_info=error)
    try:
        ui.notify(t("Something went wrong in tuneloop: {kind}: {error}", kind=type(error).__name__, error=error),
                  type="negative", timeout=0, close_button=t("Close"))  # fmt: skip
    except RuntimeError:  # no page is left to tell it on
        return


class Both:
    """One application of a server and a studio: the server's own paths go to it, all others to the studio.

    Args:
        server: from `tuneloop.serve.app.create_app`; it starts and ends with the studio.
        studio: from `create_studio`.
    """

    def __init__(self, server: FastAPI, studio: FastAPI) -> None:
        self.state = server.state
        self._server = server
        self._studio = studio
        own = studio.router.lifespan_context

        @asynccontextmanager
        async def lifespan(application: Any) -> AsyncIterator[Any]:
            async with server.router.lifespan_context(server), own(application) as state:
                yield state

        studio.router.lifespan_context = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of any kind."""
        served = scope["type"] == "http" and (scope["path"] in ROUTES or scope["path"].startswith("/v1/"))
        await (self._server if served else self._studio)(scope, receive, send)
