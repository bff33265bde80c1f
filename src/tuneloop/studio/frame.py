"""What stands around every page: the way to the others, the language, light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from nicegui import ui

from tuneloop.core.i18n import language, t
from tuneloop.studio.pages import Route
from tuneloop.studio.state import Studio

DARK = "tuneloop_dark"
REFRESH_S = 2.0
PRIMARY = "#3d63d2"
"""Of buttons: white on it has a contrast of 5.4."""


@contextmanager
def frame(route: Route, routes: list[Route], *, studio: Studio, here: str, dark: str) -> Iterator[None]:
    """The page around what is built inside.

    Args:
        here: path and query of this page, to come back to after a change of language.
        dark: "on", "off", or "" for what the system says.
    """
    ui.page_title(f"{route.title()} · tuneloop")
    mode = ui.dark_mode({"on": True, "off": False}.get(dark))
    ui.colors(primary=PRIMARY)
    ui.link(t("Skip to the content"), "#content").classes("skip")
    with ui.element("header").classes("top"):
        ui.link("tuneloop", "/").classes("name")
        with ui.element("nav").props(f'aria-label="{t("Pages")}"'):
            for each in routes:
                if each.icon:
                    _entry(each, current=route.path.startswith(each.path))
        with ui.element("div").classes("switches"):
            _busy(studio)
            other, name = ("en", "English") if language() == "zh" else ("zh", "中文")
            ui.link(name, f"/set?language={other}&back={quote(here, safe='')}").props(f"lang={other} hreflang={other}")
            button = ui.button(icon="contrast", on_click=lambda: _turn(mode)).props("flat round dense")
            button.props(f'aria-label="{t("Light or dark")}"').mark("dark")
    with ui.element("main").props("id=content tabindex=-1"):
        with ui.element("h1"):
            ui.label(route.title())
        yield


def _entry(route: Route, *, current: bool) -> None:
    with ui.link(target=route.path).props('aria-current="page"' if current else ""):
        ui.icon(route.icon).props("aria-hidden=true")
        ui.label(route.title())


def _busy(studio: Studio) -> None:
    """How many jobs run, wherever they were started."""
    shown = ui.link("", "/jobs").classes("busy").props("role=status").mark("busy")

    def count() -> None:
        running = len(studio.jobs.running())
        shown.set_text(t("{count} at work", count=running) if running else "")

    count()
    ui.timer(REFRESH_S, count)


def _turn(mode: ui.dark_mode) -> None:
    """The other of light and dark, kept by the browser."""
    ui.run_javascript(
        "const dark = !document.body.classList.contains('body--dark');"
        "Quasar.Dark.set(dark);"
        f"document.cookie = '{DARK}=' + (dark ? 'on' : 'off') + ';path=/;max-age=31536000;samesite=strict';"
    )
