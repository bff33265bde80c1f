"""Load that waits for no server, what is made of its figures, and what is read from the server's own."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchmarks.contenders import LABEL, able
from benchmarks.load import Load, at_moments, poisson
from benchmarks.model_metrics import Computed, service_times
from benchmarks.saturation import best, figures, summary

Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def ask(serve: Served, due_s: list[float], **limits: object) -> Load:
    """Requests at these moments to a server on a free port."""

    async def run() -> Load:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        load = await at_moments(f"http://127.0.0.1:{port}/", [b"{}"], due_s, **limits)  # type: ignore[arg-type]
        server.close()
        return load

    return asyncio.run(run())


def test_arrivals_by_chance_come_at_their_rate_and_again_at_the_same_moments() -> None:
    moments = poisson(50, 100, seed=1)
    assert moments == poisson(50, 100, seed=1) != poisson(50, 100, seed=2)
    assert moments == sorted(moments) and moments[-1] < 100
    assert len(moments) == pytest.approx(5000, rel=0.1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert sum(gap < 0.02 for gap in gaps) / len(gaps) == pytest.approx(1 - math.exp(-1), abs=0.03)


def test_a_server_that_stalls_hides_behind_no_waiting_client() -> None:
    due_s = [0.01 * number for number in range(10)]
    waiting: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        waiting.append(writer)
        if len(waiting) == len(due_s):  # nobody is answered before the last has come
            for each in waiting:
                each.write(OK)

    load = ask(serve, due_s)
    assert load.statuses == {200: 10}
    assert max(load.latencies_s) >= 0.09
    assert sum(load.latencies_s) >= sum(0.09 - due for due in due_s)


def test_what_never_comes_is_given_up_and_counted() -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    load = ask(serve, [0.0, 0.001, 0.002, 0.003, 0.004], drain_s=0.05, most_waiting=3)
    assert load.unanswered == 5
    assert not load.latencies_s
    assert len(connections) <= 3
    assert figures(load, 5.0)["p50_ms"] == math.inf


def test_an_unanswered_request_counts_as_one_without_end() -> None:
    load = Load(latencies_s=[0.01] * 98, unanswered=2, seconds=1.0)
    load.statuses.update({200: 98, 429: 3})
    found = figures(load, 101.0)
    assert (found["p50_ms"], found["p99_ms"]) == (10.0, math.inf)
    assert (found["achieved"], found["refused"]) == (98.0, 3)


def step(achieved: float, p99_ms: float | None, refused: int = 0) -> dict[str, float | None]:
    return {"achieved": achieved, "p99_ms": p99_ms, "refused": refused}


def test_the_best_rate_is_that_of_a_step_with_all_answers_in_time() -> None:
    steps = {"50 %": step(50, 20), "80 %": step(80, 90), "90 %": step(90, 30, refused=1), "120 %": step(99, None)}
    assert best(steps, 100) == 80
    assert best(steps, 50) == 50
    assert best(steps, 10) is None


def test_a_ratio_above_one_is_in_our_favour() -> None:
    curve = {"tuneloop": {"50 %": step(100, 20)}, "peer": {"50 %": step(25, 20)}, "slow": {"50 %": step(9, 900)}}
    alone = {"tuneloop": {"capacity": 200.0, "cpu_ms": 10.0}, "peer": {"capacity": 50.0, "cpu_ms": 30.0}}
    alone["slow"] = {"capacity": 10.0, "cpu_ms": 5.0}
    found = summary(alone, curve, "peer", 100)
    assert (found["capacity_ratio"], found["cpu_ratio"], found["within_limit_ratio"]) == (4, 3, 4)
    assert (found["capacity"], found["best_within_limit"]) == (50, 25)
    slow = summary(alone, curve, "slow", 100)
    assert (slow["cpu_ratio"], slow["within_limit_ratio"]) == (0.5, None)


def test_the_time_of_a_batch_is_found_in_what_the_counters_say() -> None:
    def stretch(batches: int, texts: int) -> Computed:
        return Computed(batches, texts, 0.02 * batches + 0.003 * texts)

    assert service_times([stretch(10, 10), stretch(20, 100), stretch(5, 300), Computed()]) == pytest.approx(
        (0.02, 0.003)
    )


def test_no_time_of_a_batch_is_below_nothing() -> None:
    falling = [Computed(10, 10, 1.0), Computed(10, 100, 0.9)]
    batch_s, text_s = service_times(falling)
    assert (batch_s, text_s) == pytest.approx((0.095, 0.0))
    steep = [Computed(10, 10, 0.0), Computed(10, 100, 1.0)]
    batch_s, text_s = service_times(steep)
    assert batch_s == 0 and text_s == pytest.approx(1 / 110)


@pytest.mark.parametrize(
    "told", [b'{"release": "a", "predictions": [{"label": "neutral"}]}', b'{"label":"neutral"}', b'["neutral"]']
)
def test_every_servers_label_is_read(told: bytes) -> None:
    found = LABEL.search(told)
    assert found is not None
    assert (found[1] or found[2]) == b"neutral"


def test_a_peer_that_does_not_import_is_left_out_with_a_word(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")  # an interpreter without any package
    python.chmod(0o700)
    assert able(["tuneloop", "LitServe", "plain"], str(python)) == {"tuneloop": "", "plain": ""}
    assert "LitServe is left out" in capsys.readouterr().out
