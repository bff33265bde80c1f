"""Who shares a batch with whom."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.deployment import ServeConfig
from tuneloop.serve.batching import Batcher
from tuneloop.serve.metrics import Meter
from tuneloop.serve.problems import preferred_language
from tuneloop.serve.slot import ServedModel, Slot


class Echo:
    """Answers a text with itself, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.task = SimpleNamespace(generates=False)

    def predict(self, inputs):
        self.batches.append(list(inputs))
        return list(inputs)


def answer_all(requests: list[list[str]], **settings) -> tuple[list[list[str]], Echo]:
    """All requests are asked before the model starts, so they wait together."""
    slot, echo = Slot(), Echo()
    slot.exchange(ServedModel("m-1", "fake", echo, max_tokens=10))
    batcher = Batcher(slot, ServeConfig(**settings))

    async def ask() -> list[list[str]]:
        asked = [asyncio.create_task(batcher.answer(request, 10)) for request in requests]
        await asyncio.sleep(0)
        batcher.start()
        answers = [(await each).predictions for each in asked]
        await asyncio.to_thread(batcher.close)
        return answers

    return asyncio.run(ask()), echo


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.text(max_size=80), min_size=1, max_size=6), min_size=1, max_size=30))
def test_every_request_gets_its_own_answers_and_no_batch_is_over_budget(requests):
    answers, echo = answer_all(requests, max_batch_tokens=20)
    assert answers == requests
    most = max(map(len, requests))
    for batch in echo.batches:
        assert len(batch) == len(set(batch)) <= max(20, most)


def test_what_waits_together_is_computed_together_up_to_the_budget():
    texts = [[f"{number:04}"] for number in range(100)]  # 3 tokens each
    _, echo = answer_all(texts, max_batch_tokens=30)
    assert [len(batch) for batch in echo.batches] == [20] * 5


def test_a_long_text_costs_no_more_than_the_model_reads():
    _, echo = answer_all([[letter * 1000] for letter in "abc"], max_batch_tokens=16)
    assert [len(batch) for batch in echo.batches] == [3]


def test_a_request_over_the_budget_is_computed_alone():
    _, echo = answer_all([["short"], [f"text {n}" for n in range(50)], ["other"]], max_batch_tokens=20)
    assert [len(batch) for batch in echo.batches] == [1, 50, 1]


class Counting(Echo):
    """Needs a hundred operations for a text."""

    flops = 0.0

    def predict(self, inputs):
        self.flops += 100 * len(inputs)
        return super().predict(inputs)


def test_it_is_told_how_much_a_model_computed_and_how_much_the_machine_could():
    slot, meter = Slot(), Meter(lambda: 0)
    slot.exchange(ServedModel("m-1", "onnx-fp32", Counting(), max_tokens=10))
    meter.loaded("m-1", "onnx-fp32", peak=1e9)
    batcher = Batcher(slot, ServeConfig(), meter=meter)

    async def ask():
        asked = asyncio.create_task(batcher.answer(["a", "b", "a"], 10))
        await asyncio.sleep(0)
        batcher.start()
        await asked
        await asyncio.to_thread(batcher.close)

    asyncio.run(ask())
    lines = meter.text().decode()
    assert 'tuneloop_flops_total{release="m-1"} 200.0' in lines
    assert 'tuneloop_peak_flops{engine="onnx-fp32"} 1e+09' in lines
    assert meter.registry.get_sample_value("tuneloop_model_seconds_total", {"release": "m-1"}) > 0


def test_the_language_is_the_one_the_client_prefers():
    assert preferred_language("zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert preferred_language("en-US,zh;q=0.9") == "en"
    assert preferred_language("fr, zh;q=0.2, en;q=0.1") == "zh"
    assert preferred_language("zh;q=nonsense, *;q=1") == "en"
