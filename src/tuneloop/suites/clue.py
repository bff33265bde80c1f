"""CLUE: Xu et al., "CLUE: A Chinese Language Understanding Evaluation Benchmark" (2020), ten tasks in Chinese.

The files are those of the official download: one folder per task, named afqmc or afqmc_public. The labels of the test
files are kept by cluebenchmarks.com, which takes a zip with one file for each test file. Where the test set was
renewed, test.json is version 1.1 and its file is named so; test1.0.json is answered too if it is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.readers.c3 import read_c3
from tuneloop.data.readers.chid import answer_file, read_chid
from tuneloop.data.readers.jsonl import read_jsonl
from tuneloop.data.readers.squad import read_squad
from tuneloop.data.readers.table import Table
from tuneloop.suites.base import Benchmark, Fields, Part, Suite, part
from tuneloop.suites.once import each_once
from tuneloop.suites.submission import answers_by_name, choices_by_name, numbered_choices, numbered_labels

BETWEEN_KEYWORDS = "；"


def _lines(path: Path, labelled: bool) -> Table:
    return read_jsonl(path)


def _squad(path: Path, labelled: bool) -> Table:
    return read_squad(path)


def _c3(path: Path, labelled: bool) -> Table:
    return read_c3(path)


def _chid(path: Path, labelled: bool) -> Table:
    if labelled and not answer_file(path).is_file():
        raise DataError(
            t("There is no {file}, which holds the answers to {other}.", file=answer_file(path).name, other=path.name),
            t("Unpack the whole archive of the task there."),
        )
    return read_chid(path)


def _keywords(record: Mapping[str, Any]) -> str:
    words = record["keyword"]
    if not isinstance(words, list):
        raise ValueError(t("the keywords are not a list"))
    return BETWEEN_KEYWORDS.join(map(str, words))


def _marked(record: Mapping[str, Any]) -> str:
    """The text with its noun as _noun_ and its pronoun as [pronoun]."""
    text, target = record["text"], record["target"]
    if not isinstance(target, dict) or not isinstance(text, str):
        raise ValueError(t("there are no spans"))
    marked = text
    spans = [_span(target, number, text) for number in (1, 2)]
    marks = zip(spans, (("_", "_"), ("[", "]")), strict=True)
    for (start, end), (opens, closes) in sorted(marks, reverse=True):  # from the back, so that places stay right
        marked = f"{marked[:start]}{opens}{marked[start:end]}{closes}{marked[end:]}"
    return marked


def _span(target: Mapping[str, Any], number: int, text: str) -> tuple[int, int]:
    start, words = target.get(f"span{number}_index"), target.get(f"span{number}_text")
    if not isinstance(start, int) or not isinstance(words, str) or text[start : start + len(words)] != words:
        raise ValueError(t("the span {words!r} does not stand at {start}", words=str(words)[:60], start=start))
    return start, start + len(words)


def _question(record: Mapping[str, Any]) -> str:
    """The question first: what is too long is cut at its end."""
    return f"{record['question']}\n{record['passage']}"


def _renewed(name: str) -> tuple[Part, ...]:
    """The test set in force, and the one before it."""
    return (
        part(f"{name}11_predict.json", "test1.1.json", "test.json"),
        part(f"{name}10_predict.json", "test1.0.json"),
    )


def _task(name: str, task: str, fields: Fields, *, max_tokens: int = 128) -> Benchmark:
    tests = (part(f"{name}_predict.json", "test.json"),)
    return Benchmark(
        name, task, fields, _lines, ("accuracy",), numbered_labels, tests=tests, max_tokens=max_tokens
    )  # fmt: skip


def _ocnli() -> Benchmark:
    largest_first = ("train.50k.json", "train.json", "train.30k.json", "train.10k.json", "train.5k.json")
    base = _task("ocnli", "pair", Fields("sentence1", "sentence2", drop=("-",)))
    return replace(
        base, train=(largest_first,), tests=(part("ocnli_50k_predict.json", "test.json"),), folders=("ocnli_50k",)
    )


def _cmrc() -> Benchmark:
    base = _task(
        "cmrc2018", "qa", Fields("question", "context", label="answers", id="id", group="context"), max_tokens=512
    )
    train = (("train.json", "cmrc2018_train.json"),)
    dev = (part("dev", "dev.json", "cmrc2018_dev.json"),)
    tests = (part("cmrc2018_predict.json", "test.json", "cmrc2018_test_2k.json"),)
    metrics = ("cmrc_exact_match", "cmrc_f1")
    return replace(
        base, read=_squad, metrics=metrics, submit=answers_by_name, train=train, dev=dev, tests=tests, folders=("cmrc",)
    )


def _c3_task() -> Benchmark:
    def both(split: str) -> tuple[tuple[str, ...], ...]:
        return tuple((f"{kind}-{split}.json", f"c3-{kind}-{split}.json") for kind in ("m", "d"))

    fields = Fields(_question, "choices", label="answer", id="id", group="document")
    base = _task("c3", "multiple_choice", fields, max_tokens=512)
    dev = (Part("dev", both("dev")),)
    return replace(base, read=_c3, submit=numbered_choices, train=both("train"), dev=dev, tests=_renewed("c3"))


CLUE = Suite(
    "clue",
    "submission.zip",
    (
        _task("afqmc", "pair", Fields("sentence1", "sentence2")),
        replace(_task("tnews", "classification", Fields("sentence")), tests=_renewed("tnews")),
        _task("iflytek", "classification", Fields("sentence")),
        _ocnli(),
        _task("cmnli", "pair", Fields("sentence1", "sentence2", drop=("-",))),
        replace(
            _task("cluewsc2020", "classification", Fields(_marked)),
            tests=_renewed("cluewsc"),
            folders=("cluewsc", "wsc"),
        ),
        _task("csl", "pair", Fields(_keywords, "abst"), max_tokens=256),
        _cmrc(),
        replace(
            _task(
                "chid",
                "multiple_choice",
                Fields("text", "choices", label="answer", id="id", group="line"),
                max_tokens=64,
            ),
            read=_chid,
            submit=choices_by_name,
            settle=each_once,
            tests=_renewed("chid"),
        ),
        _c3_task(),
    ),
    suffix="_public",
)
