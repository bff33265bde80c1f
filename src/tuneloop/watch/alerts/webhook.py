"""Alerts over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import random
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from tuneloop.core.drifting import WebhookConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import canonical_json
from tuneloop.core.i18n import t
from tuneloop.watch.alerts.addresses import Resolve, Target, check, pinned
from tuneloop.watch.alerts.base import Alert, AlertError, Channel

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same alert may be taken a little later."""

SIGNATURE = "X-Tuneloop-Signature"


class Webhook(Channel):
    """Posts alerts as JSON, signed, to one address of a list.

    Every attempt carries `X-Tuneloop-Signature: t=SECONDS,v1=HEX` with the HMAC-SHA256 of `SECONDS.BODY` by the key of
    the configured environment variable, and the alert's id as `Idempotency-Key`, as the same one may come twice. What
    cannot be reached, or is busy, is tried again after 0.5 s, 1 s, 2 s and so on, each a random share less.

    Args:
        config: where to and how often.
        resolve: a name to its addresses; the system's by default.
        wait: sleeps.

    Raises:
        ConfigError: if the address may not be used, or there is no key.
    """

    name = "webhook"

    def __init__(
        self, config: WebhookConfig, *, resolve: Resolve | None = None, wait: Callable[[float], Any] = time.sleep
    ) -> None:
        self._config, self._resolve, self._wait = config, resolve, wait
        self._target = check(config)
        self._key = os.environ.get(config.secret, "").encode()
        if not self._key:
            raise ConfigError(
                t("The environment variable {name} with the key of the webhook is empty.", name=config.secret),
                t("Set it to a long random text that the receiver knows too."),
            )

    def send(self, alert: Alert) -> None:
        body = canonical_json(alert.to_json())
        address = pinned(self._target, self._resolve)
        said = ""
        for attempt in range(self._config.attempts):
            if attempt:
                longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
                self._wait(longest * random.uniform(0.5, 1))
            try:
                status = self._post(address, body, alert.id)
            except (OSError, http.client.HTTPException) as error:
                said = str(error) or type(error).__name__
                continue
            if 200 <= status < 300:
                return
            said = f"HTTP {status}"
            if status not in AGAIN:  # a redirect too: where it points was never checked
                break
        raise AlertError(t("The webhook at {host} did not take the alert: {said}.", host=self._target.host, said=said))

    def _post(self, address: str, body: bytes, key: str) -> int:
        at = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "tuneloop",
            "Idempotency-Key": key,
            SIGNATURE: f"t={at},v1={signature(self._key, at, body)}",
        }
        connection = _Pinned(self._target, address, timeout=self._config.timeout_s)
        try:
            connection.request("POST", self._target.path, body=body, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


def signature(key: bytes, at: str, body: bytes) -> str:
    """HMAC-SHA256 of moment and body, hexadecimal; the moment lets the receiver refuse what is old."""
    return hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, by the name of the host for the certificate and the header."""

    def __init__(self, target: Target, address: str, *, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self.default_port = 443 if target.secure else 80
        self._secure, self._address = target.secure, address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
