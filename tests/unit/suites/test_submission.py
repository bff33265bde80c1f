"""The submission files have the official form, byte for byte."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.data.examples import Span
from tuneloop.suites import SUITES
from tuneloop.suites.reading import find_folder, read_unlabelled
from tuneloop.suites.submission import packed
from tuneloop.tasks import create_task
from tuneloop.tasks.spans import as_scores


def submitted(data: Path, suite: str, name: str, scores: object, *, labels: tuple[str, ...] = ()) -> str:
    """The first submission file of a task for these scores."""
    benchmark = next(each for each in SUITES.get(suite).tasks if each.name == name)
    rows = read_unlabelled(benchmark, benchmark.tests[0].files, find_folder(data, benchmark, SUITES.get(suite)))
    assert rows is not None
    task = create_task(TaskConfig(type=benchmark.task), {"labels": list(labels)})
    return benchmark.submit(rows.examples, task, scores)  # type: ignore[arg-type]


def test_clue_takes_a_line_with_number_and_label_for_each_row(clue: Path) -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    expected = '{"id": 0, "label": "0"}\n{"id": 1, "label": "1"}\n'
    assert submitted(clue, "clue", "afqmc", scores, labels=("0", "1")) == expected
    expected = '{"id": 0, "label": "false"}\n{"id": 1, "label": "true"}\n'
    assert submitted(clue, "clue", "cluewsc2020", scores, labels=("false", "true")) == expected


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("tnews", ("104", "108"), '{"id": 0, "label": "108"}\n'),
        ("iflytek", ("11", "95"), '{"id": 0, "label": "95"}\n{"id": 1, "label": "11"}\n'),
        ("ocnli", ("contradiction", "entailment"), '{"id": 0, "label": "entailment"}\n'),
        ("cmnli", ("entailment", "neutral"), '{"id": 0, "label": "neutral"}\n{"id": 1, "label": "entailment"}\n'),
        ("csl", ("0", "1"), '{"id": 0, "label": "1"}\n{"id": 1, "label": "0"}\n'),
    ],
)
def test_clue_takes_the_labels_as_its_files_write_them(
    clue: Path, name: str, labels: tuple[str, ...], expected: str
) -> None:
    scores = np.array([[0.3, 0.7], [0.8, 0.2]], np.float32)[: expected.count("\n")]
    assert submitted(clue, "clue", name, scores, labels=labels) == expected


def test_cmrc_takes_one_object_with_the_text_of_each_answer(clue: Path) -> None:
    found = as_scores([((Span(8, 10, "光荣"), 0.9),)])
    assert submitted(clue, "clue", "cmrc2018", found) == '{\n  "TEST_0_QUERY_0": "光荣"\n}\n'
    assert submitted(clue, "clue", "cmrc2018", as_scores([()])) == '{\n  "TEST_0_QUERY_0": ""\n}\n'


def test_chid_takes_one_object_with_the_number_of_each_idiom(clue: Path) -> None:
    choices = ("百家争鸣", "一五一十", "自言自语")
    found = as_scores(
        [tuple(zip(choices, shares, strict=True)) for shares in ((0.1, 0.2, 0.7), (0.6, 0.2, 0.2), (0, 1, 0))]
    )
    expected = '{\n  "#idiom000378#": 2,\n  "#idiom000379#": 0,\n  "#idiom000380#": 1\n}\n'
    assert submitted(clue, "clue", "chid", found) == expected


def test_c3_takes_the_number_of_the_choice_as_printed_even_if_one_stands_there_twice(clue: Path) -> None:
    path = clue / "c3_public" / "test1.1.json"
    path.write_text(path.read_text().replace("\\u6674", "x").replace('["晴", ', '["晴", "晴", '))
    found = as_scores([(("朋友", 0.1), ("师生", 0.2), ("夫妻", 0.7)), (("晴", 0.1), ("雨", 0.9))])
    assert submitted(clue, "clue", "c3", found) == '{"id": 0, "label": 2}\n{"id": 1, "label": 2}\n'


def test_glue_takes_index_and_prediction_between_tabs(glue: Path) -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    assert submitted(glue, "glue", "cola", scores, labels=("0", "1")) == "index\tprediction\n0\t0\n1\t1\n"
    names = ("entailment", "not_entailment")
    assert submitted(glue, "glue", "qnli", scores[:1], labels=names) == "index\tprediction\n0\tentailment\n"
    assert submitted(glue, "glue", "sts-b", np.array([[5.4]], np.float32)) == "index\tprediction\n0\t5.000\n"


def test_the_archive_holds_the_files_side_by_side_and_equal_files_give_equal_bytes() -> None:
    files = {"tnews11_predict.json": '{"id": 0, "label": "108"}\n', "afqmc_predict.json": "中\n"}
    data = packed(files)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["afqmc_predict.json", "tnews11_predict.json"]
        assert archive.read("afqmc_predict.json").decode() == "中\n"
        assert archive.infolist()[0].external_attr >> 16 == 0o644
    assert packed(dict(reversed(files.items()))) == data
