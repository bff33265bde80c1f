"""The record of which release of a model answers, which did before, and which is being tried.

A SQLite file of its own, or tables of PostgreSQL, as nothing else could tell what stands in it: the index of releases
is rebuilt from their folders. A change is one row with all that holds after it, so that a crash leaves the state before
or the one behind, and the rows are the history.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tuneloop.core.database import Database, database_errors, opened, transaction
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.releases import index

Stage = Literal["shadow", "canary"]
Kind = Literal["promote", "shadow", "canary", "abort", "rollback", "failed"]

SCHEMA = {
    "changes": "CREATE TABLE IF NOT EXISTS changes (number INTEGER PRIMARY KEY, name TEXT NOT NULL,"
    " at DOUBLE PRECISION NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, release TEXT NOT NULL, why TEXT NOT NULL,"
    " details TEXT NOT NULL, state TEXT NOT NULL)",
    "changes_by_name": "CREATE INDEX IF NOT EXISTS changes_by_name ON changes (name, number)",
    "figures": "CREATE TABLE IF NOT EXISTS figures (change INTEGER NOT NULL, server TEXT NOT NULL,"
    " at DOUBLE PRECISION NOT NULL, figures TEXT NOT NULL, PRIMARY KEY (change, server))",
}
BUSY_S = 30.0
"""How long a change waits for another process that is changing the file."""

MOST_BEFORE = 50
"""Releases that one can go back to."""


@dataclass(frozen=True)
class Candidate:
    """A release that is being tried.

    Args:
        release: its id.
        stage: shadow: it answers too, and nobody sees it; canary: a share of the requests is answered by it.
        share: of the requests, above 0.
        change: number of the change that put it there: its figures are counted from there on.
        at: when, seconds since 1970, UTC.
    """

    release: str
    stage: Stage
    share: float
    change: int
    at: float


@dataclass(frozen=True)
class Deployment:
    """What holds for a model.

    Args:
        name: of the model.
        releases: those that have been current, the oldest first; the last is current. Where nothing was ever deployed,
            all there are, in the order in which they were made.
        candidate: what is being tried beside it.
        change: number of the last change; 0 where nothing was ever deployed.
    """

    name: str
    releases: tuple[str, ...] = ()
    candidate: Candidate | None = None
    change: int = 0

    @property
    def current(self) -> str | None:
        """The release that answers."""
        return self.releases[-1] if self.releases else None

    @property
    def before(self) -> str | None:
        """The release that was current before."""
        return self.releases[-2] if len(self.releases) > 1 else None


@dataclass(frozen=True)
class Change:
    """One change, or a server's word that it could not follow one.

    Args:
        number: from 1 on, over all models.
        at: when, seconds since 1970, UTC.
        who: name of the user, or the server.
        kind: failed is no change of what holds: a server could not open a release.
        release: what it is about.
        why: in words.
        details: plain JSON.
        after: what holds behind it.
    """

    number: int
    name: str
    at: float
    who: str
    kind: Kind
    release: str
    why: str
    after: Deployment
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A change as it is asked for: `kind`, `release` and `details` as those of a `Change`.

    Args:
        releases: of the deployment behind it.
        stage: of a release that is being tried from now on, with the `share` of the requests.
        candidate: what goes on being tried.
    """

    kind: Kind
    release: str
    releases: tuple[str, ...]
    stage: Stage | None = None
    share: float = 1.0
    candidate: Candidate | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def deployed(name: str, workspace: Workspace) -> Deployment:
    """What holds for a model; writes nothing."""
    if not _exists(workspace):
        return _undeployed(name, workspace)
    with _connect(workspace) as database:
        return _state(name, database, workspace)


def names(workspace: Workspace) -> list[str]:
    """Models of which anything was ever deployed."""
    if not _exists(workspace):
        return []
    with _connect(workspace) as database:
        return [name for (name,) in database.execute("SELECT DISTINCT name FROM changes ORDER BY name")]


def history(name: str, workspace: Workspace) -> list[Change]:
    """Every change of a model, the oldest first."""
    if not _exists(workspace):
        return []
    with _connect(workspace) as database:
        rows = database.execute("SELECT * FROM changes WHERE name = ? ORDER BY number", (name,)).fetchall()
    return [_change(row) for row in rows]


def change(
    name: str,
    workspace: Workspace,
    decide: Callable[[Deployment], Wanted | None],
    *,
    who: str,
    why: str = "",
    dry_run: bool = False,
    after: int | None = None,
) -> Change | None:
    """Change what holds for a model, in one transaction; nobody else changes anything meanwhile.

    Args:
        decide: from what holds to the change; None for no change. What it raises leaves everything as it is.
        who: name of the user, or the server.
        why: in words.
        dry_run: only tell the change that would be made.
        after: number of the last change that is known, 0 for none: nothing is changed where there was a later one.

    Returns:
        The change; None if there was none.

    Raises:
        ReleaseError: if there was a later change than `after`.
        StorageError: if the file refuses.
    """
    if dry_run:
        wanted = decide(_known(deployed(name, workspace), after))
        return None if wanted is None else _made(wanted, 0, name, who=who, why=why)
    with _connect(workspace) as database, transaction(database) as execute:
        wanted = decide(_known(_state(name, database, workspace), after))
        if wanted is None:
            return None
        (number,) = execute("SELECT coalesce(max(number), 0) + 1 FROM changes").fetchone()
        made = _made(wanted, number, name, who=who, why=why)
        execute("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(made))
    return made


def keep_figures(change: int, server: str, figures: Mapping[str, Any], workspace: Workspace) -> None:
    """Replace what a server has counted of a candidate since a change."""
    with _connect(workspace) as database, transaction(database) as execute:
        values = (change, server, time.time(), json.dumps(figures, ensure_ascii=False, allow_nan=False))
        execute(
            "INSERT INTO figures VALUES (?, ?, ?, ?) ON CONFLICT (change, server)"
            " DO UPDATE SET at = excluded.at, figures = excluded.figures",
            values,
        )


def kept_figures(change: int, workspace: Workspace) -> dict[str, dict[str, Any]]:
    """What servers have counted of a candidate since a change, by server."""
    if not _exists(workspace):
        return {}
    with _connect(workspace) as database:
        rows = database.execute("SELECT server, figures FROM figures WHERE change = ?", (change,)).fetchall()
    return {server: json.loads(figures) for server, figures in rows}


class Follower:
    """Tells cheaply whether the record has changed since it was asked the last time; used by one thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._held = ExitStack()
        self._database: Database | None = None
        self._seen = 0

    def changed(self) -> bool:
        """Whether there is a later change; True the first time that there is a record.

        Raises:
            StorageError: if the record cannot be read; it is opened anew with the next call.
        """
        if self._database is None and not _exists(self._workspace):
            return False
        try:
            last = self._last()
        except BaseException:
            self.close()
            raise
        changed, self._seen = last != self._seen, last
        return changed

    def _last(self) -> int:
        """Number of the last change of any model."""
        with _errors(self._workspace):
            if self._database is None:
                self._database = self._held.enter_context(_connect(self._workspace))
            (last,) = self._database.execute("SELECT coalesce(max(number), 0) FROM changes").fetchone()
        return int(last)

    def close(self) -> None:
        """Let go of the record."""
        self._database = None
        self._held.close()


def _known(state: Deployment, after: int | None) -> Deployment:
    if after is not None and state.change != after:
        raise ReleaseError(
            t("What is deployed of {name} was changed meanwhile: {current} answers.",
              name=state.name, current=state.current),
            t("See what holds now with: tuneloop deployments {name}", name=state.name),
        )  # fmt: skip
    return state


def _made(wanted: Wanted, number: int, name: str, *, who: str, why: str) -> Change:
    at, candidate = time.time(), wanted.candidate
    if wanted.stage is not None:
        candidate = Candidate(wanted.release, wanted.stage, wanted.share, number, at)
    after = Deployment(name, wanted.releases[-MOST_BEFORE:], candidate, number)
    return Change(number, name, at, who, wanted.kind, wanted.release, why, after, wanted.details)


def _state(name: str, database: Database, workspace: Workspace) -> Deployment:
    query = "SELECT * FROM changes WHERE name = ? ORDER BY number DESC LIMIT 1"
    row = database.execute(query, (name,)).fetchone()
    return _undeployed(name, workspace) if row is None else _change(row).after


def _undeployed(name: str, workspace: Workspace) -> Deployment:
    """As if every release had been current when it was made."""
    return Deployment(name, tuple(index.of_model(name, index.rows(workspace))[-MOST_BEFORE:]))


def _row(made: Change) -> tuple[Any, ...]:
    state = json.dumps(asdict(made.after), ensure_ascii=False)
    details = json.dumps(dict(made.details), ensure_ascii=False, allow_nan=False)
    return made.number, made.name, made.at, made.who, made.kind, made.release, made.why, details, state


def _change(row: tuple[Any, ...]) -> Change:
    number, name, at, who, kind, release, why, details, state = row
    plain = json.loads(state)
    candidate = Candidate(**plain["candidate"]) if plain["candidate"] else None
    after = Deployment(plain["name"], tuple(plain["releases"]), candidate, plain["change"])
    return Change(number, name, at, who, kind, release, why, after, json.loads(details))


def _exists(workspace: Workspace) -> bool:
    return bool(workspace.database) or workspace.deployments.exists()


@contextmanager
def _connect(workspace: Workspace) -> Iterator[Database]:
    place = workspace.database or workspace.deployments
    with _errors(workspace), opened(place, SCHEMA, busy_s=BUSY_S) as database:
        yield database


@contextmanager
def _errors(workspace: Workspace) -> Iterator[None]:
    path = workspace.deployments

    def damaged(reason: str) -> StorageError:
        return StorageError(
            t("The record of deployments {path} is damaged: {reason}.", path=path, reason=reason),
            t("Move it away; servers then answer with the newest release until you deploy one."),
        )

    with database_errors(workspace.database or path, t("Free some space, and look at the permissions there."), damaged):
        yield
