"""Work beside a server, in a real event loop."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from tuneloop.apps import repeat
from tuneloop.core.errors import DataError


def test_work_goes_on_after_errors_and_ends_with_the_server() -> None:
    rounds: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise DataError("a full disk", "look")
        if len(rounds) == 2:
            raise RuntimeError("ours")
        enough.set()

    async def live() -> int:
        server = FastAPI()
        repeat(server, work, every_s=0)
        async with server.router.lifespan_context(server):
            await asyncio.wait_for(enough.wait(), 10)
        after = len(rounds)
        for _ in range(5):
            await asyncio.sleep(0)
        return after

    assert asyncio.run(live()) == len(rounds) >= 3
