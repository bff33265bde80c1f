"""Work that goes on while a server is up, such as reading a folder again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import TuneloopError

if TYPE_CHECKING:
    from fastapi import FastAPI

LOG = logging.getLogger(__name__)


def repeat(server: FastAPI, work: Callable[[], Awaitable[object]], *, every_s: float) -> None:
    """Call `work` from the server's start to its end, with a pause after each call.

    What it refuses, a full queue or a full disk, is logged and tried again the next time.

    Args:
        server: as `tuneloop.serve` hands it to `around`.
        every_s: length of the pause.
    """
    from tuneloop.serve.problems import Problem

    inner = server.router.lifespan_context

    async def going_on() -> None:
        while True:
            try:
                await work()
            except (TuneloopError, Problem) as error:
                LOG.warning("%s", error)
            except Exception:  # an error of ours in one round is no reason to stop all rounds that follow
                LOG.exception("%s failed", getattr(work, "__name__", "work"))
            await asyncio.sleep(every_s)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with inner(app) as state:
            task = asyncio.create_task(going_on())
            yield state
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    server.router.lifespan_context = lifespan
