"""How a task, a method or a reader is found by its name: ours by module, others by entry point."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and where their class or function lives, imported only when asked for.

    Args:
        kind: what is registered, a singular noun ("method").
        group: the entry-point group through which another package adds one ("tuneloop.methods").
        ours: name to "module:attribute".
    """

    def __init__(self, kind: str, group: str, ours: dict[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._ours = ours

    def names(self) -> list[str]:
        """Every name, ours first, in the order of registration."""
        return list(self._places())

    def get(self, name: str) -> T:
        """What is registered as `name`.

        Raises:
            ConfigError: if there is no such name; the nearest one is suggested.
        """
        places = self._places()
        if name not in places:
            known = ", ".join(places)
            near = difflib.get_close_matches(name, places, n=1)
            hint = t("Did you mean {name}?", name=near[0]) + " " if near else ""
            raise ConfigError(
                t("There is no {kind} called {name!r}.", kind=self.kind, name=name),
                hint + t("Choose one of: {known}.", known=known),
            )
        module, attribute = places[name].split(":")
        return getattr(import_module(module), attribute)  # type: ignore[no-any-return]

    def items(self) -> Iterator[tuple[str, T]]:
        """Every name with what it stands for; imports them all."""
        for name in self.names():
            yield name, self.get(name)

    def _places(self) -> dict[str, str]:
        return self._ours | {name: place for name, place in _installed(self.group).items() if name not in self._ours}


@cache
def _installed(group: str) -> dict[str, str]:
    """What other packages add, read once: to ask every installed package takes tens of milliseconds."""
    return {point.name: point.value for point in entry_points(group=group)}
