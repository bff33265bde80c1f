"""The settings of a task: those of the person, with the data, the type and the length of the suite."""

from __future__ import annotations

from tuneloop.core.config import parse_config
from tuneloop.suites import SUITES
from tuneloop.suites.one import task_config


def test_every_task_keeps_what_was_set_and_nothing_of_another_job() -> None:
    plain = {
        "data": {"source": "x.csv", "columns": {"text": "review"}},
        "task": {"type": "multilabel", "threshold": 0.4},
    }
    given = parse_config(plain | {"name": "mine", "seed": 3, "method": {"type": "lora", "rank": 4}})
    for suite in ("clue", "glue"):
        for benchmark in SUITES.get(suite).tasks:
            config = task_config(benchmark, SUITES.get(suite), given)
            assert config.name == f"{suite}-{benchmark.name}" and config.data.columns.text == "text"
            assert config.task.type == benchmark.task and not config.task.options
            assert config.seed == 3 and config.method.options == {"rank": 4}
            assert config.model.max_tokens == benchmark.max_tokens
            assert (config.data.clean.unicode, config.data.clean.fix_encoding) == ("none", False)


def test_the_length_of_texts_is_that_of_the_person_if_given() -> None:
    given = parse_config({"data": {"source": "x.csv"}, "model": {"max_tokens": 40}})
    suite = SUITES.get("clue")
    assert {task_config(each, suite, given).model.max_tokens for each in suite.tasks} == {40}
    assert {each.max_tokens for each in suite.tasks} == {64, 128, 256, 512}
