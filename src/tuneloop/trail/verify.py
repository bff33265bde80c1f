"""Is the trail whole? Every line against its own hash, the line before it, the noted ends and the signatures."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.trail.chain import Head, head_signed_by, lines_of, parse, read_head, signed_by, trail_files

MOST_PROBLEMS = 100
AGAIN_S = 0.2
"""A line without its end may be in the middle of being written: it is looked at once more after so long."""


@dataclass(frozen=True)
class Flaw:
    """What is wrong at one place.

    Args:
        kind: changed, missing, order, torn, head, signature.
        file: its name; empty for the trail as a whole.
        line: from 1; 0 for a file as a whole.
    """

    kind: str
    file: str
    line: int
    what: str

    def sentence(self) -> str:
        """In words, with the place."""
        return t("{file}, line {line}: {what}", file=self.file, line=self.line, what=self.what) if self.line else (
            self.what
        )  # fmt: skip


@dataclass
class Verdict:
    """What was found.

    Args:
        lines: how many lines were read.
        signed: how many of them are signed.
        head: of the last line that is whole.
        flaws: in the order of the lines, a hundred at most.
    """

    lines: int = 0
    files: int = 0
    signed: int = 0
    head: Head = field(default_factory=Head)
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.flaws

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        flaws = [vars(flaw) for flaw in self.flaws]
        plain = {"whole": self.whole, "lines": self.lines, "files": self.files, "signed": self.signed}
        return plain | {"count": self.head.count, "head": self.head.hash, "flaws": flaws}


def verify(folder: Path, *, head: str = "", key: bytes | None = None) -> Verdict:
    """Read the whole trail and say what is wrong with it.

    Args:
        head: the hash of a line that was noted elsewhere, which must still be in the chain.
        key: what lines are signed with. With it, a line without the right signature is a flaw, but for those from
            before the first that has one.
    """
    verdict, reached = Verdict(), {} if not head else {head: False}
    noted = _noted(folder, verdict)
    if noted is not None:
        reached.setdefault(noted[0].hash, False)
    for file in trail_files(folder):
        verdict.files += 1
        for number, line in _settled(file):
            _look(verdict, file.name, number, line, key)
            if verdict.head.hash in reached:
                reached[verdict.head.hash] = True
    if head and not reached[head]:
        _add(verdict, "head", t("No line has the hash {hash}: lines were removed or written anew.", hash=head[:64]))
    if noted is not None and noted[0].count and not reached[noted[0].hash]:
        _add(verdict, "head", t(
            "head.json knows {count} lines up to {hash}, which is not there: the end was cut off or written anew.",
            count=noted[0].count, hash=noted[0].hash[:12],
        ))  # fmt: skip
    if key and noted is not None and (noted[1] or verdict.signed) and not head_signed_by(key, *noted):
        _add(verdict, "signature", t("The signature of head.json is missing or wrong."))
    if verdict.lines and noted is None:
        _add(verdict, "head", t("head.json is missing."))
    if key and verdict.lines and not verdict.signed:
        _add(verdict, "signature", t("No line is signed, though there is a key."))
    return verdict


def _noted(folder: Path, verdict: Verdict) -> tuple[Head, str] | None:
    """The end in head.json and its signature, read before the lines, which may grow meanwhile."""
    try:
        return read_head(folder)
    except ValueError:
        _add(verdict, "head", t("head.json is damaged."))
        return Head(), ""


def _settled(file: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in lines_of(file):
        if line.endswith(b"\n"):
            yield number, line
            continue
        time.sleep(AGAIN_S)
        for later, again in lines_of(file):
            if later >= number:
                yield later, again
        return


def _look(verdict: Verdict, file: str, number: int, line: bytes, key: bytes | None) -> None:
    verdict.lines += 1

    def flaw(kind: str, what: str) -> None:
        _add(verdict, kind, what, file, number)

    if not line.endswith(b"\n"):
        flaw("torn", t("The line has no end, as after a crash; the next start of the server cuts it off and says so."))
        return
    record = parse(line)
    if record is None:
        flaw("changed", t("The line is not the one that was written."))
        # as it claims to be, if it says so, so that one change is one flaw
        verdict.head = _claimed(line) or Head(verdict.head.count + 1, "")
        return
    before = verdict.head
    if record["n"] != before.count + 1:
        flaw("missing" if record["n"] > before.count + 1 else "order", t(
            "It is number {n}, where {expected} should stand.", n=record["n"], expected=before.count + 1,
        ))  # fmt: skip
    elif before.hash and record["previous"] != before.hash:
        flaw("order", t("It does not follow the line before it."))
    if "mac" in record:
        verdict.signed += 1
    if key and (verdict.signed or "mac" in record) and not signed_by(key, record):
        flaw("signature", t("Its signature is missing or wrong."))
    verdict.head = Head(record["n"], record["hash"])


def _claimed(line: bytes) -> Head | None:
    try:
        found = json.loads(line)
        return Head(int(found["n"]), str(found["hash"]))
    except (ValueError, KeyError, TypeError):
        return None


def _add(verdict: Verdict, kind: str, what: str, file: str = "", line: int = 0) -> None:
    if len(verdict.flaws) < MOST_PROBLEMS:
        verdict.flaws.append(Flaw(kind, file, line, what))
