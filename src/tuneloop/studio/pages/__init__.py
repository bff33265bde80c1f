"""The pages: one file each, found by name; what a file's `ROUTES` lists is shown under its paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneloop.studio.view import View

ORDER = ("data", "runs", "compare", "release", "playground", "label", "watch", "update", "jobs")
"""The files, in the order of the navigation, which is that of a model's life."""

Build = Callable[["View"], Awaitable[None] | None]


@dataclass(frozen=True)
class Route:
    """A path and what it shows.

    Args:
        path: such as "/runs" or "/runs/{name}"; what stands in braces is in `View.parts`.
        title: its name in the language in force.
        build: puts the elements onto the page.
        icon: a Material icon, of a path that is in the navigation.
    """

    path: str
    title: Callable[[], str]
    build: Build
    icon: str = ""


def routes() -> list[Route]:
    """Every path of every file."""
    return [route for name in ORDER for route in import_module(f"tuneloop.studio.pages.{name}").ROUTES]
