"""The workspace: one folder that holds snapshots, encoders, runs, releases and caches."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.core.postgres import find_url

CONFIG_NAME = "tuneloop.yaml"

ID_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{0,63}$")


REMOTE = "remote.url"
"""The file of a workspace that names the object store it is a copy of."""


@dataclass(frozen=True)
class Workspace:
    """Where things are kept. Nothing is created until something is written."""

    root: Path

    @property
    def snapshots(self) -> Path:
        """Data snapshots, one folder each."""
        return self.root / "snapshots"

    @property
    def runs(self) -> Path:
        """Training runs, one folder each."""
        return self.root / "runs"

    @property
    def releases(self) -> Path:
        """Releases, one folder each."""
        return self.root / "releases"

    @property
    def comparisons(self) -> Path:
        """Comparisons of methods: a page each, and the jobs that they share."""
        return self.root / "comparisons"

    @property
    def encoders(self) -> Path:
        """Pretrained encoders, one model folder each."""
        return self.root / "encoders"

    @property
    def knowledge(self) -> Path:
        """Indexes of documents, one folder each."""
        return self.root / "knowledge"

    @property
    def audits(self) -> Path:
        """Audits of releases, one folder each."""
        return self.root / "audits"

    @property
    def trail(self) -> Path:
        """The audit trail of served answers."""
        return self.root / "trail"

    @property
    def labels(self) -> Path:
        """What was suggested for labelling and what people answered, one folder for each project."""
        return self.root / "labels"

    @property
    def updates(self) -> Path:
        """What updates have tried and decided, one folder each, and the new rows that they were given."""
        return self.root / "updates"

    @property
    def events(self) -> Path:
        """The SQLite file of served events and feedback, where no other store is named."""
        return self.root / "events.sqlite"

    @property
    def watched(self) -> Path:
        """What was seen of the events of releases, one folder each, and what was told of it."""
        return self.root / "watch"

    @property
    def deployments(self) -> Path:
        """The SQLite record of which release answers, which did before, and which is being tried."""
        return self.root / "deployments.sqlite"

    @property
    def studio(self) -> Path:
        """What the studio started, and what it keeps of its own."""
        return self.root / "studio"

    @property
    def media(self) -> Path:
        """Images and sound of the snapshots, each once, by the SHA-256 of its bytes."""
        return self.root / "media" / "sha256"

    @property
    def cache(self) -> Path:
        """What can be computed again: tokens, embeddings. Safe to delete."""
        return self.root / "cache"

    @property
    def index(self) -> Path:
        """The SQLite index of releases; `tuneloop releases reindex` rebuilds it."""
        return self.root / "index.sqlite"

    @property
    def database(self) -> str:
        """URL of the PostgreSQL database that has index, deployments and events in place of the SQLite files.

        Empty where none is named, by the variable TUNELOOP_DATABASE or the file database.url.
        """
        return find_url(self.root)

    @property
    def remote(self) -> str:
        """URL of the object store that this is a copy of, which releases are fetched from; empty without one."""
        file = self.root / REMOTE
        return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def cache_folder() -> Path:
    """Where one's own copies are kept: TUNELOOP_CACHE, or tuneloop/ in the user's cache folder."""
    own = os.environ.get("TUNELOOP_CACHE")
    shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(own) if own else shared / "tuneloop"


def check_id(name: str) -> str:
    """`name`, if it can be the name of a run or release and of nothing else on the disk.

    Raises:
        TuneloopError: if it has other characters than lower-case letters, digits, `.`, `_`, `-`.
    """
    if not ID_PATTERN.match(name) or ".." in name:
        raise TuneloopError(
            t("{name!r} is not a valid name.", name=name[:80]),
            t("Use lower-case letters, digits, dots, dashes and underscores, at most 64."),
        )
    return name
