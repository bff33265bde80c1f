"""A damaged file gives one clear error, which says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError
from tuneloop.core.paths import Workspace
from tuneloop.suites import SUITES
from tuneloop.suites.one import read_material


def read(data: Path, suite: str, name: str, tmp_path: Path) -> Any:
    benchmark = next(each for each in SUITES.get(suite).tasks if each.name == name)
    return read_material(benchmark, SUITES.get(suite), data, seed=0, workspace=Workspace(tmp_path / "workspace"))


BROKEN = [
    ("clue", "afqmc_public/train.json", '{"sentence1": "a", "sentence2": "b"', "train.json, row 1: broken JSON"),
    ("clue", "afqmc_public/train.json", '{"sentence1": "a", "label": "0"}', 'train.json has no column "sentence2"'),
    (
        "clue",
        "afqmc_public/dev.json",
        '{"sentence1": "a", "sentence2": "b", "label": "7"}',
        "dev.json, row 1: the label '7'",
    ),
    (
        "clue",
        "afqmc_public/dev.json",
        '{"sentence1": "a", "sentence2": null, "label": "0"}',
        "dev.json, row 1, .*missing",
    ),
    (
        "clue",
        "afqmc_public/test.json",
        '{"id": 0, "sentence1": 3, "sentence2": "b"}',
        "test.json, row 1, column .text.: ",
    ),
    (
        "clue",
        "cluewsc2020_public/train.json",
        '{"target": {"span1_index": 0, "span1_text": "小明", "span2_index": 1, "span2_text": "他"}, '
        '"text": "小明他", "label": "true"}',
        "train.json, row 1: the span '他' does not stand at 1",
    ),
    (
        "clue",
        "csl_public/dev.json",
        '{"id": 1, "abst": "a", "keyword": "水", "label": "1"}',
        "dev.json, row 1: the keywords",
    ),
    (
        "clue",
        "cmrc2018_public/train.json",
        '{"version": "v1.0",\n "data": [{"paragraphs": [}',
        "train.json, line 2, character 27",
    ),
    (
        "clue",
        "cmrc2018_public/train.json",
        '{"data": [{"paragraphs": [{"qas": [{"id": 1}]}]}]}',
        r'data\[0\].paragraphs\[0\]: "context" is',
    ),
    (
        "clue",
        "chid_public/dev_answer.json",
        '{"#idiom000378#": 0}',
        "dev.json, row 1: dev_answer.json has no answer to #idiom000379#",
    ),
    (
        "clue",
        "chid_public/dev.json",
        '{"candidates": "abc", "content": []}',
        "dev.json, row 1, column .candidates.: a list",
    ),
    (
        "clue",
        "c3_public/m-dev.json",
        '[[["a"], [{"question": "b", "choice": ["c", "d"], "answer": "e"}], "m"]]',
        r"m-dev.json, \[0\]\[1\]\[0\].answer: 'e' is none of the choices",
    ),
    (
        "glue",
        "SST-2/train.tsv",
        "sentence\tlabel\na joyous film\n",
        "train.tsv, row 2 has 1 fields, but there are 2 columns",
    ),
    (
        "glue",
        "RTE/dev.tsv",
        "index\tpremise\thypothesis\tlabel\n0\ta\tb\tentailment\n",
        'dev.tsv has no column "sentence1"',
    ),
    (
        "glue",
        "STS-B/dev.tsv",
        "index\tsentence1\tsentence2\tscore\n0\ta\tb\tgood\n",
        "dev.tsv, row 2, column .label.: 'good' is not",
    ),
    ("glue", "CoLA/train.tsv", "", "train.tsv is empty"),
]
NAMES = {"cluewsc2020_public": "cluewsc2020", "SST-2": "sst-2", "STS-B": "sts-b"}


@pytest.mark.parametrize(("suite", "file", "content", "says"), BROKEN, ids=lambda each: each[:24])
def test_a_damaged_file_is_named_with_the_place(
    request: pytest.FixtureRequest, tmp_path: Path, suite: str, file: str, content: str, says: str
) -> None:
    data = request.getfixturevalue(suite)
    (data / file).write_text(content, encoding="utf-8")
    folder = file.split("/")[0]
    with pytest.raises(DataError, match=says) as error:
        read(data, suite, NAMES.get(folder, folder.removesuffix("_public").lower()), tmp_path)
    assert error.value.hint


@pytest.mark.parametrize(
    ("suite", "file"),
    [("clue", "chid_public/train_answer.json"), ("clue", "ocnli_public/dev.json"), ("glue", "MNLI/dev_mismatched.tsv")],
)
def test_an_absent_file_is_named(request: pytest.FixtureRequest, tmp_path: Path, suite: str, file: str) -> None:
    data = request.getfixturevalue(suite)
    (data / file).unlink()
    with pytest.raises(DataError, match=f"There is no {Path(file).name}"):
        read(data, suite, file.split("/")[0].removesuffix("_public").lower(), tmp_path)


@pytest.mark.parametrize("name", ["afqmc", "sts-b"])
def test_the_official_splits_are_kept_and_rows_for_choosing_come_from_train(
    clue: Path, glue: Path, tmp_path: Path, name: str
) -> None:
    suite, data, folder = {"afqmc": ("clue", clue, "afqmc_public"), "sts-b": ("glue", glue, "STS-B")}[name]
    if name == "afqmc":
        rows = [{"sentence1": f"问{n}", "sentence2": "答", "label": str(n % 2)} for n in range(60)]
        (data / folder / "train.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        rows = [f"a {n}\tb\t{n % 6}.000\n" for n in range(60)]
        (data / folder / "train.tsv").write_text("sentence1\tsentence2\tscore\n" + "".join(rows))
    material = read(data, suite, name, tmp_path)
    splits = {part: material.snapshot.split(part) for part in ("train", "dev", "test")}
    official = material.dev["dev"].examples
    assert splits["test"].inputs == official.inputs and splits["test"].labels == official.labels
    assert len(splits["dev"]) == 3 and len(splits["train"]) == 57
    assert not {*splits["dev"].inputs} & {*splits["train"].inputs}


def test_rows_of_one_passage_are_not_torn_apart(clue: Path, tmp_path: Path) -> None:
    path = clue / "chid_public"
    line = json.loads((path / "train.json").read_text())
    text = "".join(json.dumps(line | {"content": [f"{n}#idiom{n}#和#idiom{n + 500}#"]}) + "\n" for n in range(100, 140))
    (path / "train.json").write_text(text)
    (path / "train_answer.json").write_text(json.dumps({f"#idiom{n}#": 0 for n in range(100, 700)}))
    snapshot = read(clue, "clue", "chid", tmp_path).snapshot
    passages = [{text[:3].strip("_…和") for text in snapshot.split(name).texts} for name in ("train", "dev")]
    assert len(snapshot.split("dev")) == 4
    assert not passages[0] & passages[1]
