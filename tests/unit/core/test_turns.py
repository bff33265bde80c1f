"""Who asks first has it first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tuneloop.core.turns import Turns


def test_a_thread_that_waits_has_it_before_the_one_that_asks_again() -> None:
    turns, order, waits = Turns(), [], threading.Event()

    def other() -> None:
        waits.set()
        with turns:
            order.append("other")

    with turns:
        thread = threading.Thread(target=other)
        thread.start()
        assert waits.wait(30)
        while not turns._waiting:  # until it really stands in line
            assert thread.is_alive()
    with turns:
        order.append("again")
    thread.join(30)
    assert order == ["other", "again"]


def test_never_two_at_a_time_also_where_one_fails() -> None:
    turns, inside, most = Turns(), [], []

    def work(number: int) -> None:
        try:
            with turns:
                inside.append(number)
                most.append(len(inside))
                inside.pop()
                if number % 3 == 0:
                    raise ValueError
        except ValueError:
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(500)))
    assert most == [1] * 500
