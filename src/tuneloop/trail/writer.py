"""The one thread that adds lines to a trail.

Records that come while the disk is busy are written together and flushed once (group commit, DeWitt et al.,
"Implementation Techniques for Main Memory Database Systems", SIGMOD 1984). Whoever added a record is told when it is
on the disk, and no sooner.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import StorageError
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.worker import Worker
from tuneloop.trail.chain import GENESIS, Head, link, read_head, write_head
from tuneloop.trail.repair import Torn, cut_torn_line, last_record
from tuneloop.trail.veil import make_secret

Done = Callable[[Exception | None], None]

MOST_TOGETHER = 512
"""Records in one flush at most."""

HEAD_S = 1.0
"""Seconds after which the end of the chain is noted in head.json; it may lag behind the lines by so long."""


class TrailWriter(Worker):
    """Adds records to the trail in a folder; one per folder, in all processes.

    Args:
        folder: where the trail lies; made if it is not there.
        key: what lines are signed with; None leaves that out.
    """

    def __init__(self, folder: Path, *, key: bytes | None = None) -> None:
        super().__init__("tuneloop-trail")
        self.folder, self.secret = folder, b""
        self.torn: Torn | None = None
        self._key = key
        self._waiting: deque[tuple[dict[str, Any], Done]] = deque()
        self._head = Head()
        self._noted: Head | None = None
        self._noted_s = 0.0
        self._file: int | None = None
        self._day, self._size = "", 0
        self._broken: StorageError | None = None
        self._opened: Future[None] = Future()

    def start(self) -> None:
        """Open the trail and go on with its chain; a line that a crash has torn is cut off, which is recorded.

        Raises:
            StorageError: if another process writes this trail, it is damaged or lacks lines, it was signed with
                another key, or the disk refuses.
        """
        super().start()
        self._opened.result()

    def add(self, record: dict[str, Any], done: Done) -> None:
        """Put a record at the end.

        Args:
            record: plain JSON; `n`, `previous`, `hash` and `mac` are added.
            done: called in the thread of the trail with None when the record is on the disk, or with the reason why it
                is not.
        """
        with self._changed:
            if self._closing:
                raise RuntimeError("the trail is closed")
            self._waiting.append((record, done))
            self._changed.notify()

    def _work(self) -> None:
        busy = StorageError(
            t("Another process writes the trail {folder}.", folder=self.folder),
            t("Stop that server first, or let this one work in another workspace; or set serve.trail: off."),
        )
        try:
            with fsio.storage_errors(self.folder):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.folder, busy=busy):
                self._open()
                self._opened.set_result(None)
                self._write_on()
        except Exception as error:
            if not self._opened.done():
                self._opened.set_exception(error)
                return
            self._give_up(error)

    def _open(self) -> None:
        self.secret = make_secret(self.folder)
        self.torn = cut_torn_line(self.folder)
        file, last = last_record(self.folder, self._key)
        head = Head(last["n"], last["hash"]) if last else Head()
        self._check_noted(head)
        self._head, self._day = head, file.stem if file else ""
        if self.torn is not None:
            self._write([(self.torn.record(), _raise)])
        self._note_head()

    def _check_noted(self, head: Head) -> None:
        """Refuse to go on where lines are missing that were on the disk before."""
        try:
            found = read_head(self.folder)
        except ValueError:
            found = (Head(head.count + 1, GENESIS), "")
        noted = found[0] if found else Head(head.count, GENESIS)
        if noted.count > head.count or (noted.count == head.count and noted.hash != head.hash):
            raise StorageError(
                t("The trail {folder} does not end as head.json says: lines are missing or changed.",
                  folder=self.folder),
                t("Look with: tuneloop trail verify. To begin a new one, move that folder away and keep it."),
            )  # fmt: skip

    def _write_on(self) -> None:
        while True:
            batch = self._take()
            if batch:
                self._write(batch)
            elif self._closing:
                break
            if not batch or time.monotonic() - self._noted_s > HEAD_S:
                self._note_head()
        self._note_head()
        if self._file is not None:
            os.close(self._file)

    def _take(self) -> list[tuple[dict[str, Any], Done]]:
        """What waits; nothing after a second without a record."""
        with self._changed:
            if not self._waiting and not self._closing:
                self._changed.wait(HEAD_S)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER))]

    def _write(self, batch: list[tuple[dict[str, Any], Done]]) -> None:
        head, lines, told = self._head, [], []
        for record, done in batch:
            try:
                line, head = link(record, head, self._key)
            except (TypeError, ValueError) as unfit:
                done(unfit)
                continue
            lines.append(line)
            told.append(done)
        error = self._append(b"".join(lines)) if lines else None
        if error is None:
            self._head = head
        for done in told:
            done(error)

    def _append(self, data: bytes) -> StorageError | None:
        """Put data on the disk, or leave the file as it was and say why."""
        if self._broken is not None:
            return self._broken
        try:
            with fsio.storage_errors(self.folder):
                self._open_file()
                _write_all(self._file, data)
                os.fsync(self._file)  # type: ignore[arg-type]
        except StorageError as error:
            self._roll_back(error)
            return error
        self._size += len(data)
        return None

    def _open_file(self) -> None:
        """The file of today; the chain never goes back to an earlier one, whatever the clock does."""
        day = max(f"{datetime.now(UTC):%Y-%m-%d}", self._day)
        if self._file is not None and day == self._day:
            return
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._file = os.open(self.folder / f"{day}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._day, self._size = day, os.fstat(self._file).st_size
        fsio.fsync_dir(self.folder)

    def _roll_back(self, error: StorageError) -> None:
        """Cut off what was half written. A file that cannot be cut, or whose flush failed, is not gone on with."""
        if self._file is None:  # it could not be opened, so nothing was written
            return
        refused = error.__cause__
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            self._broken = error
        # after a failed flush the system may call the next one good without having written anything
        if not (isinstance(refused, OSError) and refused.errno in (errno.ENOSPC, errno.EDQUOT)):
            self._broken = error

    def _note_head(self) -> None:
        if self._noted != self._head:
            try:
                write_head(self.folder, self._head, self._key)
            except StorageError:  # the lines themselves are safe; the next note tries again
                return
            self._noted = self._head
        self._noted_s = time.monotonic()

    def _give_up(self, error: Exception) -> None:
        """Nobody waits for ever, whatever went wrong."""
        self._broken = StorageError(t("The trail {folder} has stopped: {error}", folder=self.folder, error=error))
        while not self._closing or self._waiting:
            for _, done in self._take():
                done(self._broken)


def _write_all(file: int | None, data: bytes) -> None:
    assert file is not None
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error
