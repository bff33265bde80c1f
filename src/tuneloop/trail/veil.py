"""What a record may show of a request and its answer.

A value that shows nothing private stands there exactly and can be answered again. Of any other there is a veiled copy
and a hash that proves which value it was, once somebody who has it brings it. The hash is an HMAC with a secret that
lies beside the trail, not in it: telephone numbers are few enough that an open hash could be tried out.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import new_file, storage_errors
from tuneloop.core.hashing import canonical_json
from tuneloop.core.i18n import t
from tuneloop.data.personal_data import redact

SECRET = "secret.key"
VARIABLE = "TUNELOOP_SECRET_FILE"
SECRET_BYTES = 32
HIDDEN = "[text]"
PLAIN_KEYS = frozenset({"model", "role", "type"})
"""What stands under them in a request is a word of the interface, not a text."""

PLAIN_CHARS = 64

Veil = Callable[[str], str]
VEILS: dict[str, Veil] = {"personal data": redact, "texts": lambda text: HIDDEN}
"""What may be taken out of the strings of a value, by the name that a record has for it."""


def seal(value: Any, veil: str, secret: bytes) -> dict[str, Any]:
    """What a record holds of a JSON value: `exact`, or what is left `veiled` with the hash of what was taken out."""
    left, taken = veiled(value, VEILS[veil])
    if not taken:
        return {"exact": value}
    salt = secrets.token_hex(16)
    return {"veiled": left, "veil": veil, "salt": salt, "hash": _hash(secret, salt, taken)}


def is_sealed_in(value: Any, sealed: dict[str, Any], secret: bytes) -> bool:
    """Whether a value is the very one that was sealed."""
    if "exact" in sealed:
        return canonical_json(value) == canonical_json(sealed["exact"])
    left, _ = veiled(value, VEILS[sealed["veil"]])
    return canonical_json(left) == canonical_json(sealed["veiled"]) and same_strings(value, sealed, secret)


def same_strings(value: Any, sealed: dict[str, Any], secret: bytes) -> bool:
    """Whether what would be taken out of a value is what was taken out, whatever its numbers are."""
    _, taken = veiled(value, VEILS[sealed["veil"]])
    return hmac.compare_digest(_hash(secret, sealed["salt"], taken), str(sealed["hash"]))


def filled(sealed: dict[str, Any], text: str) -> Any:
    """The sealed value with `text` in every place where it may have stood."""
    if "exact" in sealed:
        return sealed["exact"]
    hidden = VEILS[sealed["veil"]](text)
    return veiled(sealed["veiled"], lambda left: text if left == hidden else left)[0]


def veiled(value: Any, veil: Veil, *, key: str = "") -> tuple[Any, list[str]]:
    """A JSON value with a veil over its strings and keys, and the strings that it changed, in order."""
    if isinstance(value, str):
        left = value if key in PLAIN_KEYS and len(value) <= PLAIN_CHARS else veil(value)
        return left, [value] if left != value else []
    if isinstance(value, list):
        parts = [veiled(each, veil) for each in value]
        return [left for left, _ in parts], [text for _, taken in parts for text in taken]
    if isinstance(value, dict):
        # keys are texts only where choices are keys, which `tasks` answers with; names of fields pass any veil
        found = [(*_key(name, veil), *veiled(each, veil, key=name)) for name, each in value.items()]
        return {name: left for name, _, left, _ in found}, [s for _, own, _, taken in found for s in [*own, *taken]]
    return value, []


def read_secret(folder: Path) -> bytes:
    """The secret of a trail.

    Raises:
        FileNotFoundError: if it was deleted or kept elsewhere.
        ConfigError: if the file holds something else.
    """
    path = _place(folder)
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        found = b""
    if not found:
        raise ConfigError(
            t("{path} holds no secret.", path=path),
            t("Write hexadecimal digits into it, such as those of: openssl rand -hex 32"),
        )
    return found


def make_secret(folder: Path) -> bytes:
    """The secret of a trail or a workspace, made the first time.

    Raises:
        StorageError: if the disk refuses.
    """
    path = _place(folder)
    with storage_errors(path):
        if not path.exists():
            # never half there: an empty secret would hide nothing; records may hang on one that another server made
            with new_file(path, mode=0o600, keep=True) as temporary:
                temporary.write_text(secrets.token_hex(SECRET_BYTES), encoding="ascii")
        return read_secret(folder)


def _place(folder: Path) -> Path:
    """The file of the secret: that of TUNELOOP_SECRET_FILE, which servers without a common workspace share."""
    return Path(os.environ.get(VARIABLE) or folder / SECRET)


def _key(name: str, veil: Veil) -> tuple[str, Iterator[str] | list[str]]:
    left = redact(name) if veil is redact else name
    return left, [name] if left != name else []


def _hash(secret: bytes, salt: str, taken: list[str]) -> str:
    return hmac.digest(secret, canonical_json([salt, taken]), "sha256").hex()
