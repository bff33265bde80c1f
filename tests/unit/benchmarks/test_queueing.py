"""The queueing model agrees with what is known in closed form, loses no request, and batches as the server does."""

from __future__ import annotations

import itertools
import math
import random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.load import poisson
from benchmarks.queueing import Server, at_random, least, mean_wait_s, of_two, simulate

ENDLESS = {"wait_s": 0.0, "max_queue": math.inf, "deadline_s": math.inf}


def arrivals(rate: float, requests: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    return list(itertools.accumulate(draw.expovariate(rate) for _ in range(requests)))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_text_at_a_time_in_equal_times_waits_as_pollaczek_and_khinchine_say(load: float) -> None:
    outcome = simulate(Server(lambda _: 1.0, 1, **ENDLESS), arrivals(load, 30_000, 1))
    assert mean(outcome.latencies_s) - 1 == pytest.approx(mean_wait_s(load, 1.0), rel=0.08)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_with_exponential_times_it_is_m_m_1(load: float) -> None:
    draw = random.Random(2)
    outcome = simulate(Server(lambda _: draw.expovariate(1.0), 1, **ENDLESS), arrivals(load, 30_000, 3))
    stay_s = 1 / (1 - load)  # and its distribution is exponential
    assert mean(outcome.latencies_s) == pytest.approx(stay_s, rel=0.08)
    assert outcome.quantile_ms(0.99) / 1000 == pytest.approx(-stay_s * math.log(0.01), rel=0.15)
    assert mean_wait_s(load, 1.0, 1.0) == pytest.approx(stay_s - 1)


def test_what_is_more_than_one_server_can_do_one_by_one_is_done_in_batches() -> None:
    server = Server(lambda texts: 0.01 + 0.001 * texts, 64, **ENDLESS)
    alone = Server(server.service_s, 1, wait_s=0.0)
    moments = poisson(400, 20, seed=4)
    together, apart = simulate(server, moments), simulate(alone, moments)
    assert together.requests == len(together.latencies_s) == len(moments)
    assert together.batches < len(moments) / 4
    assert apart.refused > len(moments) / 2


def test_full_batches_end_one_after_the_other() -> None:
    outcome = simulate(Server(lambda texts: 0.5 * texts, 2, **ENDLESS), [0.0, 0.1, 0.2, 0.3])
    assert outcome.latencies_s == pytest.approx([0.5, 1.4, 1.3, 1.7])
    assert outcome.batches == 3


def test_after_a_batch_the_next_waits_a_moment_for_as_many_texts() -> None:
    server = Server(lambda _: 1.0, 8, wait_s=0.5)
    waited = simulate(server, [0.0, 0.1, 0.2, 2.1])  # two at once after the first; the last alone, and not at once
    assert waited.latencies_s == pytest.approx([1.0, 1.9, 1.8, 1.4])
    joined = simulate(server, [0.0, 0.1, 0.2, 2.1, 2.3])
    assert joined.latencies_s[3:] == pytest.approx([1.2, 1.0])


def test_who_waits_too_long_expires_and_who_would_is_refused() -> None:
    outcome = simulate(Server(lambda _: 1.0, 1, deadline_s=2.5, max_queue=2), [0.0, 0.1, 0.2, 0.3])
    assert (len(outcome.latencies_s), outcome.refused, outcome.expired) == (2, 1, 1)
    slow = Server(lambda texts: 1.0 * texts, 1, deadline_s=10.0)
    crowd = simulate(slow, [0.01 * number for number in range(2000)])
    assert crowd.refused > 1000  # half of the deadline is five texts, once the server knows how slow it is


@settings(deadline=None, max_examples=60)
@given(
    gaps=st.lists(st.floats(0, 0.2), max_size=80),
    batch_s=st.floats(0, 0.5),
    most=st.integers(1, 9),
    max_queue=st.integers(1, 20),
    deadline_s=st.floats(0.01, 2),
    replicas=st.integers(1, 4),
    choose=st.sampled_from([at_random, of_two, least]),
)
def test_every_request_is_answered_refused_or_expired(
    gaps: list[float], batch_s: float, most: int, max_queue: int, deadline_s: float, replicas: int, choose: object
) -> None:
    server = Server(lambda texts: batch_s + 0.01 * texts, most, max_queue=max_queue, deadline_s=deadline_s)
    moments = list(itertools.accumulate(gaps))
    outcome = simulate(server, moments, replicas=replicas, choose=choose)  # type: ignore[arg-type]
    assert outcome.requests == len(moments)
    assert all(latency_s <= deadline_s for latency_s in outcome.latencies_s)
    assert outcome == simulate(server, moments, replicas=replicas, choose=choose)  # type: ignore[arg-type]


def test_two_choices_keep_the_slowest_answers_shorter_than_chance() -> None:
    server = Server(lambda _: 0.01, 1)
    moments = poisson(8 * 85, 30, seed=5)
    by = {choose: simulate(server, moments, replicas=8, choose=choose) for choose in (at_random, of_two, least)}
    assert by[least].quantile_ms(0.99) <= by[of_two].quantile_ms(0.99) < 0.7 * by[at_random].quantile_ms(0.99)


def test_replicas_chosen_by_chance_are_as_one_with_its_share() -> None:
    server = Server(lambda _: 0.01, 1)
    many = simulate(server, poisson(10 * 70, 60, seed=6), replicas=10)
    assert mean(many.latencies_s) - 0.01 == pytest.approx(mean_wait_s(70, 0.01), rel=0.1)
