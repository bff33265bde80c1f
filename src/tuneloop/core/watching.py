"""What is kept of served answers: the section `watch` of a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from tuneloop.core.drifting import DriftConfig
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.core.postgres import SCHEMES, has_password


class WatchConfig(Options):
    """What the server keeps of its answers, to watch the release and to learn from feedback."""

    events: Literal["off", "hashes", "vectors", "texts"] = Field(
        "off",
        description="What is kept of every text: nothing; its keyed hash; what the last layer receives too; or itself.",
    )
    raw: bool = Field(
        False, description="Whether texts, tags and comments are kept as they came; else without personal data."
    )
    store: str = Field(
        "",
        description="postgresql://HOST/DATABASE without a password; by default what TUNELOOP_DATABASE names, or else "
        "events.sqlite in the workspace.",
    )
    keep_days: int = Field(90, ge=1, description="Days after which an event goes, with the feedback on it.")
    max_queue: int = Field(
        10_000, ge=1, description="Events that may wait for the disk; beyond that they are dropped and counted."
    )

    drift: DriftConfig = Field(default_factory=DriftConfig)  # type: ignore[arg-type]

    @property
    def used(self) -> bool:
        """Whether anything is kept."""
        return self.events != "off"

    @field_validator("events", mode="before")
    @classmethod
    def _off_is_no_truth_value(cls, value: Any) -> Any:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value

    @field_validator("store")
    @classmethod
    def _known_store(cls, store: str) -> str:
        """A configuration travels with every release, so no password may stand in it."""
        if not store:
            return store
        if store.partition("://")[0] not in SCHEMES:
            raise ValueError(t("write postgresql://HOST/DATABASE, or nothing for a file in the workspace"))
        if has_password(store):
            raise ValueError(t("no password may stand here; put it into the variable PGPASSWORD or the file .pgpass"))
        return store
