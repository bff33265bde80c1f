"""Running the studio alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from tuneloop.serve.server import url_of

FAREWELL_S = 2
"""How long open pages may take to let go at the end; nothing that they show is lost."""


class StudioServer(uvicorn.Server):
    """uvicorn on a bound socket.

    Args:
        app: from `create_studio`.
        listener: a bound socket.
        ready: called once with the address.
    """

    def __init__(self, app: Any, listener: socket.socket, *, ready: Callable[[str], None] | None = None) -> None:
        self._listener = listener
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
                timeout_graceful_shutdown=FAREWELL_S,
            )
        )  # fmt: skip

    def serve_until_stopped(self) -> None:
        """Show pages until SIGTERM or SIGINT."""
        self.run(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        if self._ready is not None and self.started:
            self._ready(url_of(self._listener))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of open pages."""
        await super().shutdown(sockets)
        self._captured_signals.clear()  # stopping was asked for and done: no reason to die of the signal
