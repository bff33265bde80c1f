"""What is told of an alarm, and the contract of a way to tell it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tuneloop.core.errors import TuneloopError


class AlertError(TuneloopError):
    """An alert cannot be told."""


@dataclass(frozen=True)
class Alert:
    """An alarm as it is told. It holds no text of a client.

    Args:
        id: of this alarm: equal for the same alarm, however often it is found.
        about: the figure and slice, or the early warning, that it is of; a cool-down holds for all alarms about it.
        release: what is watched.
        at: seconds since 1970, UTC, of the last event that raised it.
        sentence: in words, in the language of who watches.
        details: plain JSON.
    """

    id: str
    about: str
    release: str
    at: float
    sentence: str
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "id": self.id,
            "about": self.about,
            "release": self.release,
            "at": self.at,
            "sentence": self.sentence,
            "details": self.details,
        }


class Channel(ABC):
    """A way to tell alerts. Its first docstring line says which."""

    name: ClassVar[str]

    @abstractmethod
    def send(self, alert: Alert) -> None:
        """Tell one alert; when it returns, somebody has it.

        Raises:
            AlertError: if nobody has; it is tried again the next time.
        """
