"""Where a webhook may go: hosts of a list, at addresses of the public internet, resolved once.

A name that is resolved again for the connection may by then point inside the network (DNS rebinding), and a server that
answers with a redirect may point there too; so one address is chosen, checked and connected to, and no redirect is
followed. See OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tuneloop.core.drifting import WebhookConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.watch.alerts.base import AlertError

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Target:
    """A checked web address.

    Args:
        host: its name, in small letters: for the certificate and the header Host.
        port: where it listens.
        path: with the query.
        secure: whether it is https.
        may_be_private: whether addresses inside the own network are allowed.
    """

    host: str
    port: int
    path: str
    secure: bool
    may_be_private: bool


def check(config: WebhookConfig) -> Target:
    """The target of a webhook, as far as it can be told without asking the network.

    Raises:
        ConfigError: if it is no web address, has a password in it, or its host is not listed.
    """
    try:
        parts = urlsplit(config.url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        host, port = "", None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.password:
        raise ConfigError(
            t("alerts.webhook.url is not a web address that can be used."),
            t("Write it as https://HOST/PATH, without a name or password in it."),
        )
    private = host in _names(config.private)
    if host not in _names(config.hosts):
        raise ConfigError(
            t("The host {host} is not one that alerts may go to.", host=host), t("Add it to alerts.webhook.hosts.")
        )
    if parts.scheme == "http" and not private:
        raise ConfigError(
            t("Alerts to {host} would go over plain http.", host=host),
            t("Use https, or add the host to alerts.webhook.private if it is in your own network."),
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(sign) <= 32 or ord(sign) > 126 for sign in path):
        raise ConfigError(
            t("alerts.webhook.url is not a web address that can be used."),
            t("Percent-encode spaces and other letters."),
        )
    secure = parts.scheme == "https"
    return Target(host, port or (443 if secure else 80), path, secure, private)


def pinned(target: Target, resolve: Resolve | None = None) -> str:
    """The one address to connect to.

    All addresses of a name must be allowed, not only the one that is taken.

    Raises:
        AlertError: if the name has none, or one that is not allowed.
    """
    try:
        found = (resolve or _resolve)(target.host, target.port)
    except OSError as error:
        raise AlertError(t("The host {host} has no address: {error}.", host=target.host, error=error)) from None
    if not found:
        raise AlertError(t("The host {host} has no address: {error}.", host=target.host, error="-"))
    for address in found:
        if not target.may_be_private and not is_public(address):
            raise AlertError(
                t("The host {host} has the address {address}, which is not public.", host=target.host, address=address),
                t("Add the host to alerts.webhook.private if it is in your own network."),
            )
    return found[0]


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet; one of IPv4 inside one of IPv6 is judged by itself."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and found in ipaddress.ip_network("64:ff9b::/96"):  # NAT64, RFC 6052
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _names(hosts: tuple[str, ...]) -> set[str]:
    return {host.lower().rstrip(".") for host in hosts}
