"""Running the server: the address, signals, and an end that loses no accepted request."""

from __future__ import annotations

import asyncio
import ctypes
import math
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

from tuneloop.core.errors import ServeError
from tuneloop.core.i18n import t
from tuneloop.serve.service import Service, State

if TYPE_CHECKING:
    from fastapi import FastAPI

KEEP_ALIVE_S = 75
FAREWELL_S = 1.0
"""How long idle connections may still bring a request after the signal to stop; its answer says that it is the last."""

RELEASE_S = 0.01
"""How long an event loop takes to let go of a socket (uvloop: its next round), and a handshake under way to end."""

SO_ATTACH_FILTER = 26
"""Of Linux (asm-generic/socket.h); Python does not name it."""

NO_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),  # load the byte of the TCP flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone, the wish to connect?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # let everything else pass
)
"""A packet filter (classic BPF: code, jump if true, jump if false, operand; see Linux' networking/filter.rst)."""


class Server(uvicorn.Server):
    """uvicorn, with a farewell for connections that are kept alive.

    Args:
        app: from `create_app`.
        listener: a bound socket.
        ready: called once with the address when texts are answered.
        websockets: whether any are spoken; the API has none.
    """

    def __init__(
        self,
        app: FastAPI,
        listener: socket.socket,
        *,
        ready: Callable[[str], None] | None = None,
        websockets: bool = False,
    ) -> None:
        self.service: Service = app.state.service
        self.url = url_of(listener)
        self._listener = listener
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
                ws="auto" if websockets else "none",
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(self.service.longest_s) + 5,
            )
        )  # fmt: skip

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM, SIGINT or `should_exit`, then answer what was accepted.

        Raises:
            TuneloopError: if the release could not be opened.
        """
        self.run(sockets=[self._listener])
        if self.service.failure is not None:
            raise self.service.failure

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; called ten times a second."""
        if self._ready is not None and self.service.state is State.READY:
            self._ready(self.url)
            self._ready = None
        return self.service.failure is not None or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting; let connections bring the request they may be sending; answer; close."""
        self.service.drain()
        await self._stop_listening()
        until_s = time.monotonic() + FAREWELL_S
        while self.server_state.connections and time.monotonic() < until_s and not self.force_exit:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)
        self._captured_signals.clear()  # stopping was asked for and done: no reason to die of the signal

    async def _stop_listening(self) -> None:
        """Refuse connections from here on, but serve those that the kernel has taken already.

        A second handle keeps the socket open while the loop lets go of it. Whoever wishes to connect meanwhile
        is not heard, asks again by the rules of TCP, and is refused: a connection that the kernel took between
        the last look and the end of the socket would be lost with its request.
        """
        loop = asyncio.get_running_loop()
        spare = self._listener.dup()
        spare.setblocking(False)
        _ignore_new_connections(spare)
        for server in self.servers:
            server.close()
        self._listener.close()
        await asyncio.sleep(RELEASE_S)
        waiting = _accept_all(spare)
        spare.close()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _ignore_new_connections(listener: socket.socket) -> None:
    """Drop what asks for a new connection; those that are being made can be ended. On Linux; elsewhere nothing."""
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS))
    program = struct.pack("HP", len(NO_NEW_CONNECTIONS), ctypes.addressof(code))
    with suppress(OSError):  # a kernel without packet filters
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    connections: list[socket.socket] = []
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            connections.append(connection)
    return connections


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address.

    Raises:
        ServeError: if the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:  # the latter of a port above 65535
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ServeError(
            t("Cannot listen on {host}:{port}: {reason}.", host=host, port=port, reason=reason),
            t("Choose another serve.port or serve.host."),
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The address to type in."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
