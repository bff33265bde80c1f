"""GLUE: Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform" (2019), nine tasks in English.

The files are those of the official download: one folder per task, columns between tabs. The labels of the test files
are kept by gluebenchmark.com, which takes a zip with one .tsv for each test file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tuneloop.data.readers.plain_tsv import read_plain_tsv
from tuneloop.data.readers.table import Table
from tuneloop.suites.base import Benchmark, Fields, Part, Suite, part
from tuneloop.suites.submission import tab_separated, tab_separated_similarity

COLA_COLUMNS = ("source", "label", "mark", "sentence")


def _read(path: Path, labelled: bool) -> Table:
    return read_plain_tsv(path)


def _read_cola(path: Path, labelled: bool) -> Table:
    """Its labelled files have no header."""
    return read_plain_tsv(path, names=COLA_COLUMNS if labelled else ())


def _read_qqp(path: Path, labelled: bool) -> Table:
    """In the older download some labelled questions are broken over two lines; everyone leaves them out."""
    return read_plain_tsv(path, skip_ragged=labelled)


def _task(title: str, task: str, fields: Fields, *metrics: str) -> Benchmark:
    return Benchmark(
        title.lower(),
        task,
        fields,
        _read,
        metrics or ("accuracy",),
        tab_separated,
        train=(("train.tsv",),),
        dev=(part("dev", "dev.tsv"),),
        tests=(part(f"{title}.tsv", "test.tsv"),),
        folders=(title.replace("-", ""),),
    )


def _mnli() -> Benchmark:
    """It has texts of the kinds of train (matched) and of other kinds, and answers the diagnostic texts too."""
    both = ("matched", "mismatched")
    tests = [part(f"MNLI-{kind}.tsv", f"test_{name}.tsv") for kind, name in zip(("m", "mm"), both, strict=True)]
    diagnostic = part("AX.tsv", "../AX/AX.tsv", "../AX/test.tsv", "../diagnostic/diagnostic.tsv", "../AX.tsv")
    fields = Fields("sentence1", "sentence2", label="gold_label", drop=("-",))
    dev = tuple(Part(name, ((f"dev_{name}.tsv",),)) for name in both)
    return replace(_task("MNLI", "pair", fields), dev=dev, tests=(*tests, diagnostic))


_MRPC = Fields("#1 String", "#2 String", label="Quality")
_QQP = Fields("question1", "question2", label="is_duplicate")
_STSB = Fields("sentence1", "sentence2", label="score")
_SENTENCES = Fields("sentence1", "sentence2")

GLUE = Suite(
    "glue",
    "submission.zip",
    (
        replace(_task("CoLA", "classification", Fields("sentence"), "mcc"), read=_read_cola),
        _task("SST-2", "classification", Fields("sentence")),
        _task("MRPC", "pair", _MRPC, "f1_of_1", "accuracy"),
        replace(_task("STS-B", "pair_regression", _STSB, "pearson", "spearman"), submit=tab_separated_similarity),
        replace(_task("QQP", "pair", _QQP, "f1_of_1", "accuracy"), read=_read_qqp),
        _mnli(),
        _task("QNLI", "pair", Fields("question", "sentence")),
        _task("RTE", "pair", _SENTENCES),
        _task("WNLI", "pair", _SENTENCES),
    ),
)
