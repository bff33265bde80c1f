"""Who may ask: names this server answers to, origins it trusts, and the API key. Denied unless allowed."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from tuneloop.core.errors import ServeError
from tuneloop.core.i18n import t
from tuneloop.serve.problems import Problem

PUBLIC = frozenset({"/healthz"})
"""Paths that need no key, for the machinery that asks whether the process lives."""

MIN_KEY_BYTES = 32


class Guard:
    """What a request must prove.

    Args:
        host: the address the server listens on.
        api_key: the key that clients must send; may be None only on localhost.

    Raises:
        ServeError: if the key is too short, or missing where others can reach the server.
    """

    def __init__(self, *, host: str, api_key: str | None) -> None:
        self.local = is_local(host)
        if api_key is None and not self.local:
            raise ServeError(
                t("On {host} others can reach the server, and no API key is set.", host=host),
                t(
                    "Put at least {bytes} random bytes in TUNELOOP_API_KEY, or in the file that TUNELOOP_API_KEY_FILE "
                    "names; or listen on 127.0.0.1.",
                    bytes=MIN_KEY_BYTES,
                ),
            )
        if api_key is not None and len(api_key.encode()) < MIN_KEY_BYTES:
            raise ServeError(
                t("The API key is shorter than {bytes} bytes.", bytes=MIN_KEY_BYTES),
                t('Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'),
            )
        self._hash = None if api_key is None else _hash(api_key.encode())
        self._names = {"localhost", "127.0.0.1", "::1", host.lower()}

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Let the request pass.

        Raises:
            Problem: 403 for a foreign Host or Origin on localhost, 401 without the right key.
        """
        if self.local:
            self.check_names(headers)
        if self._hash is None or path in PUBLIC:
            return
        kind, _, key = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not self.is_key(key.strip()):
            raise Problem(
                401,
                t("This server answers only with the right API key."),
                t("Send it as: Authorization: Bearer YOUR_KEY"),
                headers={"WWW-Authenticate": "Bearer"},
            )

    def is_key(self, given: bytes) -> bool:
        """Whether this is the key."""
        return self._hash is not None and secrets.compare_digest(_hash(given), self._hash)

    def check_names(self, headers: Mapping[bytes, bytes]) -> None:
        """A web page elsewhere must not come here through the visitor's browser (DNS rebinding, CSRF).

        Raises:
            Problem: 403 for a foreign Origin, and on localhost for a foreign Host.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.local and _name(host) not in self._names:
            raise Problem(
                403, t("This server does not answer to that host name."), t("Use localhost or the address it prints.")
            )
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() not in (f"http://{host}", f"https://{host}"):
            raise Problem(
                403, t("Web pages of other origins may not use this server."), t("Send the request without a browser.")
            )


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def find_api_key(given: str | None = None) -> str | None:
    """The key given, else TUNELOOP_API_KEY, else the content of the file that TUNELOOP_API_KEY_FILE names.

    Raises:
        ServeError: if that file cannot be read.
    """
    if given is not None:
        return given
    if "TUNELOOP_API_KEY" in os.environ:
        return os.environ["TUNELOOP_API_KEY"]
    name = os.environ.get("TUNELOOP_API_KEY_FILE")
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(
            t("The API key file {path} cannot be read: {error}", path=name, error=error),
            t("Name a readable text file in TUNELOOP_API_KEY_FILE."),
        ) from None


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
