"""The chain: how a record becomes a line that no later change leaves unnoticed.

Each line is canonical JSON with the hash of the line before it and its own SHA-256 over all the rest (the linking of
Haber and Stornetta, "How to Time-Stamp a Digital Document", 1991). Whoever can write the files can also compute a new
chain from some line on: only an HMAC with a key that he lacks, or a head noted elsewhere, finds that.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import canonical_json, hash_json
from tuneloop.core.i18n import t

GENESIS = "0" * 64
"""What the first line names as the hash before it."""

HEAD = "head.json"
KEY_VARIABLE = "TUNELOOP_TRAIL_KEY"
MIN_KEY_BYTES = 32


@dataclass(frozen=True)
class Head:
    """The end of a chain: how many lines there are, and the hash of the last."""

    count: int = 0
    hash: str = GENESIS


def find_key() -> bytes | None:
    """The key of `TUNELOOP_TRAIL_KEY` that lines are signed with; None without one.

    Raises:
        ConfigError: if it is too short.
    """
    given = os.environ.get(KEY_VARIABLE, "").encode()
    if given and len(given) < MIN_KEY_BYTES:
        raise ConfigError(
            t("The key in {variable} is shorter than {bytes} bytes.", variable=KEY_VARIABLE, bytes=MIN_KEY_BYTES),
            t('Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'),
        )
    return given or None


def link(record: dict[str, Any], head: Head, key: bytes | None) -> tuple[bytes, Head]:
    """The record as the next line of the chain, and the head behind it.

    Raises:
        TypeError, ValueError: if the record is not plain JSON.
    """
    body = {**record, "n": head.count + 1, "previous": head.hash}
    own = hash_json(body)
    signed = {"mac": mac(key, own)} if key else {}
    return canonical_json({**body, "hash": own, **signed}) + b"\n", Head(head.count + 1, own)


def parse(line: bytes) -> dict[str, Any] | None:
    """The record in a whole line; None if the line is not the one that was written."""
    try:
        found = json.loads(line.decode("utf-8", "surrogatepass"))
        body = {key: value for key, value in found.items() if key not in ("hash", "mac")}
        same = canonical_json(found) + b"\n" == line and found["hash"] == hash_json(body)
        return found if same and isinstance(found["n"], int) and isinstance(found["previous"], str) else None
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None


def mac(key: bytes, text: str) -> str:
    """The signature of a hash or a head."""
    chain_key = hmac.digest(key, b"tuneloop trail", "sha256")
    return hmac.new(chain_key, text.encode(), hashlib.sha256).hexdigest()


def signed_by(key: bytes, record: dict[str, Any]) -> bool:
    """Whether a line's signature is right."""
    return hmac.compare_digest(mac(key, record["hash"]), str(record.get("mac", "")))


def trail_files(folder: Path) -> list[Path]:
    """The files of a trail, the oldest first; each is named by the day on which it was begun, in UTC."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].jsonl"))


def lines_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """Every line of a file with its number from 1; the last may lack its line break."""
    with file.open("rb") as opened:
        yield from enumerate(opened, start=1)


def write_head(folder: Path, head: Head, key: bytes | None) -> None:
    """Note the end of the chain beside it."""
    signed = {"mac": mac(key, _named(head))} if key else {}
    fsio.write_json(folder / HEAD, {"count": head.count, "hash": head.hash, **signed})


def read_head(folder: Path) -> tuple[Head, str] | None:
    """The end that was noted and its signature (empty without one); None if none was.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        found = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        return Head(int(found["count"]), str(found["hash"])), str(found.get("mac", ""))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(HEAD) from error


def head_signed_by(key: bytes, head: Head, signature: str) -> bool:
    """Whether the signature of a noted head is right."""
    return hmac.compare_digest(mac(key, _named(head)), signature)


def _named(head: Head) -> str:
    return f"head {head.count} {head.hash}"
