"""Finding records in a trail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.trail.chain import lines_of, parse, trail_files

REQUEST_ID = re.compile(r"(?:chatcmpl-|cmpl-)?(\d{4})(\d{2})(\d{2})-[0-9a-f]{16}")


def records(folder: Path, *, newest_first: bool = False) -> Iterator[dict[str, Any]]:
    """Every record whose line is as it was written."""
    for file in reversed(trail_files(folder)) if newest_first else trail_files(folder):
        found = (parse(line) for _, line in lines_of(file))
        kept = [record for record in found if record is not None]
        yield from reversed(kept) if newest_first else kept


def find(request_id: str, folder: Path) -> list[dict[str, Any]]:
    """The records of a request, in order: one, or for a stream its beginning and its end.

    Raises:
        DataError: if there is none, or its line was changed.
    """
    asked = request_id.removeprefix("chatcmpl-").removeprefix("cmpl-")
    known = REQUEST_ID.fullmatch(asked)
    day = "-".join(known.groups()) if known else ""
    found: list[dict[str, Any]] = []
    for file in trail_files(folder):
        if file.stem < day:  # a request is recorded on its day or later
            continue
        for number, line in lines_of(file):
            if asked.encode() not in line:
                continue
            record = parse(line)
            if record is None:
                raise DataError(
                    t("{file}, line {line}: {what}", file=file.name, line=number,
                      what=t("The line is not the one that was written.")),
                    t("Look with: tuneloop trail verify."),
                )  # fmt: skip
            found += [record] if record.get("request") == asked else []
        if found and found[-1]["kind"] == "answer":
            break
    if not found:
        raise DataError(
            t("The trail {folder} has no request {name!r}.", folder=folder, name=request_id[:80]),
            t("Give the X-Request-Id of an answer; tuneloop trail show lists the newest."),
        )
    return found


def loaded_before(record: dict[str, Any], folder: Path) -> dict[str, Any] | None:
    """What the trail says of how the release of a record was opened."""
    for each in records(folder, newest_first=True):
        if each["kind"] == "loaded" and each["n"] < record["n"] and each["release"] == record["release"]:
            return each
    return None
