"""Each official layout gives exactly these rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError
from tuneloop.data.examples import Examples, Span
from tuneloop.suites import SUITES
from tuneloop.suites.base import Benchmark
from tuneloop.suites.reading import Rows, find_folder, read_labelled, read_unlabelled
from tuneloop.tasks import TASKS

Row = tuple[Any, ...]


def task_of(suite: str, name: str) -> Benchmark:
    return next(each for each in SUITES.get(suite).tasks if each.name == name)


def labelled(data: Path, suite: str, name: str, part: int = 0) -> Rows:
    benchmark = task_of(suite, name)
    folder = find_folder(data, benchmark, SUITES.get(suite))
    return read_labelled(benchmark, benchmark.dev[part].files, folder, TASKS.get(benchmark.task))


def train(data: Path, suite: str, name: str) -> Rows:
    benchmark = task_of(suite, name)
    folder = find_folder(data, benchmark, SUITES.get(suite))
    return read_labelled(benchmark, benchmark.train, folder, TASKS.get(benchmark.task))


def unlabelled(data: Path, suite: str, name: str) -> dict[str, Examples]:
    benchmark = task_of(suite, name)
    folder = find_folder(data, benchmark, SUITES.get(suite))
    found = {part.name: read_unlabelled(benchmark, part.files, folder) for part in benchmark.tests}
    return {name: rows.examples for name, rows in found.items() if rows is not None}


def rows_of(examples: Examples) -> list[Row]:
    return list(zip(examples.inputs, examples.labels, strict=True))


CLUE: dict[str, list[Row]] = {
    "afqmc": [
        (("蚂蚁借呗等额还款可以换成先息后本吗", "借呗有先息到期还本吗"), "0"),
        (("蚂蚁花呗说我违约一次", "蚂蚁花呗违约行为是什么"), "1"),
    ],
    "tnews": [("上课时学生手机响个不停", "108"), ("商赢环球回复问询函", "104")],
    "iflytek": [("打造共享联盟，你花钱，我送钱", "11"), ("全国最大的信用卡专业服务平台", "95")],
    "ocnli": [
        (("身上裹一件工厂发的棉大衣,手插在袖筒里", "身上至少一件衣服"), "entailment"),
        (("身上裹一件工厂发的棉大衣,手插在袖筒里", "他没穿衣服"), "contradiction"),
    ],
    "cmnli": [(("新的权利已经足够好了", "每个人都很喜欢最新的福利"), "neutral"), (("他来了", "他到了"), "entailment")],
    "cluewsc2020": [("_小明_去找小刚因为[他]病了", "true"), ("小明去找_小刚_因为[他]病了", "false")],
    "csl": [
        (("水声学；FFT；波束形成", "为解决传统均匀FFT波束形成算法的分辨率问题"), "1"),
        (("方法；水稻", "本文提出一种新方法"), "0"),
    ],
    "cmrc2018": [
        (
            ("《战国无双3》是由哪两个公司合作开发的？", "《战国无双3》由光荣和ω-force开发。"),
            (Span(8, 18, "光荣和ω-force"), Span(8, 10, "光荣")),
        ),
        (("游戏叫什么？", "《战国无双3》由光荣和ω-force开发。"), (Span(1, 6, "战国无双3"),)),
    ],
    "chid": [
        (("学术上提倡____，他却……地说", "百家争鸣\n一五一十\n自言自语"), "百家争鸣"),
        (("学术上提倡……，他却____地说", "百家争鸣\n一五一十\n自言自语"), "一五一十"),
        (("他____了一句", "百家争鸣\n一五一十\n自言自语"), "自言自语"),
    ],
    "c3": [
        (("天气？\n今天下雨。", "晴\n雨"), "雨"),
        (("他们的关系是？\n女：你好。\n男：好久不见。", "朋友\n师生\n夫妻"), "朋友"),
    ],
}
GLUE: dict[str, list[Row]] = {
    "cola": [("Our friends won't buy this.", "1"), ('They "drank the pub.', "0"), ("I saw him.", "1")],
    "sst-2": [("hide new secretions", "0"), ("a joyous film", "1"), ('a "good one', "1")],
    "mrpc": [(("He said", 'He " said'), "1"), (("No", "Yes"), "0")],
    "sts-b": [(("A plane.", "An air plane."), 5.0), (("A plane.", "An air plane."), 0.25)],
    "qqp": [(("How?", "Why?"), "0"), (("Who?", "Who is?"), "1")],
    "mnli": [(("The new rights", "Everyone 0"), "neutral"), (("The new rights", "Everyone 1"), "entailment")],
    "qnli": [(("When?", "In 1990."), "entailment"), (("Who?", "It."), "not_entailment")],
    "rte": [(("A.", "B."), "not_entailment"), (("C.", "D."), "entailment")],
    "wnli": [(("I stuck a pin.", "The carrot."), "1"), (("He.", "She."), "0")],
}
UNLABELLED: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("clue", "afqmc"): {
        "afqmc_predict.json": [
            ("蚂蚁借呗等额还款可以换成先息后本吗", "借呗有先息到期还本吗"),
            ("蚂蚁花呗说我违约一次", "蚂蚁花呗违约行为是什么"),
        ]
    },
    ("clue", "tnews"): {
        "tnews11_predict.json": ["上课时学生手机响个不停", "商赢环球回复问询函"],
        "tnews10_predict.json": ["商赢环球回复问询函"],
    },
    ("clue", "ocnli"): {"ocnli_50k_predict.json": [("身上裹一件工厂发的棉大衣,手插在袖筒里", "身上至少一件衣服")]},
    ("clue", "cluewsc2020"): {"cluewsc11_predict.json": ["_小明_去找小刚因为[他]病了", "小明去找_小刚_因为[他]病了"]},
    ("clue", "cmrc2018"): {"cmrc2018_predict.json": [("开发者？", "《战国无双3》由光荣和ω-force开发。")]},
    ("clue", "c3"): {
        "c311_predict.json": [
            ("他们的关系是？\n女：你好。\n男：好久不见。", "朋友\n师生\n夫妻"),
            ("天气？\n今天下雨。", "晴\n雨"),
        ]
    },
    ("glue", "cola"): {"CoLA.tsv": ["Bill whistled past the house.", "The car honked."]},
    ("glue", "mrpc"): {"MRPC.tsv": [("PCCW", "Current")]},
    ("glue", "sts-b"): {"STS-B.tsv": [("A plane.", "An air plane.")]},
    ("glue", "qqp"): {"QQP.tsv": [("Would?", "What?")]},
    ("glue", "mnli"): {
        "MNLI-m.tsv": [("The new rights", "Everyone 0")],
        "MNLI-mm.tsv": [("The new rights", "Everyone 0")],
        "AX.tsv": [("The cat sat.", "The cat did not.")],
    },
    ("glue", "qnli"): {"QNLI.tsv": [("What?", "Rock.")]},
}


@pytest.mark.parametrize("name", CLUE)
def test_each_task_of_clue_gives_these_rows(clue: Path, name: str) -> None:
    assert rows_of(labelled(clue, "clue", name).examples) == CLUE[name]


@pytest.mark.parametrize("name", GLUE)
def test_each_task_of_glue_gives_these_rows(glue: Path, name: str) -> None:
    assert rows_of(labelled(glue, "glue", name).examples) == GLUE[name]


def test_every_task_is_among_these() -> None:
    assert [each.name for each in SUITES.get("clue").tasks] == list(CLUE)
    assert [each.name for each in SUITES.get("glue").tasks] == list(GLUE)


@pytest.mark.parametrize(("suite", "name"), UNLABELLED)
def test_the_test_files_give_these_rows(request: pytest.FixtureRequest, suite: str, name: str) -> None:
    found = unlabelled(request.getfixturevalue(suite), suite, name)
    assert {file: rows.inputs for file, rows in found.items()} == UNLABELLED[suite, name]


def test_rows_without_an_agreed_label_are_dropped_and_counted(clue: Path, glue: Path) -> None:
    assert [labelled(clue, "clue", name).dropped for name in ("ocnli", "cmnli", "afqmc")] == [1, 1, 0]
    assert len(train(glue, "glue", "qqp").examples) == 2  # a question broken over two lines is no row


def test_the_largest_ocnli_and_both_halves_of_c3_are_learnt_from(clue: Path) -> None:
    assert [path.name for path in train(clue, "clue", "ocnli").files] == ["train.50k.json"]
    c3 = train(clue, "clue", "c3")
    assert [path.name for path in c3.files] == ["m-train.json", "d-train.json"]
    assert len(set(c3.examples.ids)) == 2


def test_mnli_is_measured_on_two_sets(glue: Path) -> None:
    assert [part.name for part in task_of("glue", "mnli").dev] == ["matched", "mismatched"]
    assert rows_of(labelled(glue, "glue", "mnli", 1).examples) == GLUE["mnli"]


@pytest.mark.parametrize("name", ["afqmc", "AFQMC", "afqmc_public", "AFQMC_public/afqmc_public"])
def test_a_folder_is_found_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert find_folder(tmp_path, task_of("clue", "afqmc"), SUITES.get("clue")) == tmp_path / name


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder afqmc_public in"):
        find_folder(tmp_path, task_of("clue", "afqmc"), SUITES.get("clue"))
