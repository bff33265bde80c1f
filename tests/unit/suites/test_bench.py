"""`tuneloop bench` from folder to table and submission, on a tiny BERT."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.cli.app import run
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.suites import one
from tuneloop.training.interrupt import InterruptedTrainingError


def records(count: int, first: int = 0) -> list[dict[str, str]]:
    words = "abcdefghijkl"
    texts = [f"{words[n % 12]} {words[n // 12 % 12]} {'good' if n % 2 else 'bad'}" for n in range(first, first + count)]
    return [{"sentence1": text, "sentence2": "a b", "label": str(int("good" in text))} for text in texts]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folders of AFQMC, CSL and a damaged TNEWS."""
    folder = tmp_path / "data"
    unlabelled = [{"id": n, "sentence1": row["sentence1"], "sentence2": "a b"} for n, row in enumerate(records(4))]
    for name, rows in (("train", records(80)), ("dev", records(30, 90)), ("test", unlabelled)):
        write(folder / "afqmc_public" / f"{name}.json", rows)
        csl = [{"id": 7, "abst": row["sentence1"], "keyword": ["a", "b"], "label": row.get("label")} for row in rows]
        write(folder / "csl_public" / f"{name}.json", csl)
    (folder / "csl_public" / "test.json").unlink()
    (folder / "tnews_public").mkdir()
    (folder / "tnews_public" / "train.json").write_text("{")
    return folder


@pytest.fixture
def arguments(data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    settings = {"model.source": tiny_model, "model.max_tokens": 16, "training.epochs": 8, "training.batch_size": 8}
    settings |= {"training.learning_rate": 3e-3, "training.precision": "fp32", "training.report_to": "[]"}
    pairs = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return ["bench", "clue", "--data", str(data), "--tasks", "afqmc,csl,tnews,wsc", "--output", "out", *pairs]


def test_two_tasks_end_in_a_table_and_a_submission_and_are_not_trained_again(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(arguments) == 0
    shown = capsys.readouterr()
    assert "afqmc" in shown.out and "[" in shown.out
    assert "tnews (2 of 4)" in shown.err
    assert "Not in the table: tnews. train.json, row 1: broken JSON" in shown.err
    assert "Not in the table: cluewsc2020. There is no folder cluewsc2020_public" in shown.err
    assert "Not in the submission: csl. There is no test file" in shown.err
    found = json.loads(Path("out/results.json").read_text())
    assert [result["task"] for result in found["tasks"]] == ["afqmc", "csl"]
    assert [found["tasks"][0][name] for name in ("train_rows", "held_out_rows")] == [76, 4]
    figure = found["tasks"][0]["dev"][0]["metrics"]["accuracy"]
    assert 0.7 < figure["low"] <= figure["value"] <= figure["high"] <= 1
    with zipfile.ZipFile("out/submission.zip") as archive:
        assert archive.namelist() == ["afqmc_predict.json"]
        lines = [json.loads(line) for line in archive.read("afqmc_predict.json").decode().splitlines()]
    assert [line["id"] for line in lines] == [0, 1, 2, 3] and {line["label"] for line in lines} <= {"0", "1"}

    runs, config = sorted(Path(".tuneloop/runs").iterdir()), (Path("out/afqmc/result.json")).read_bytes()
    monkeypatch.setattr(one, "_measured", lambda *_: pytest.fail("measured again"))
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == found["tasks"]
    assert sorted(Path(".tuneloop/runs").iterdir()) == runs
    assert Path("out/afqmc/result.json").read_bytes() == config


def test_questions_and_choices_go_the_whole_way_too(
    arguments: list[str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_answers(data)
    once = [*arguments[:4], "--output", "out", *arguments[8:], "--set", "training.epochs=1", "--quiet"]
    assert run([*once, "--tasks", "cmrc2018,chid"]) == 0
    found = json.loads(Path("out/results.json").read_text())
    assert [list(result["dev"][0]["metrics"]) for result in found["tasks"]] == [
        ["cmrc_exact_match", "cmrc_f1"],
        ["accuracy"],
    ]
    with zipfile.ZipFile("out/submission.zip") as archive:
        texts = json.loads(archive.read("cmrc2018_predict.json"))
        idioms = json.loads(archive.read("chid11_predict.json"))
    assert list(texts) == [f"TEST_{n}_QUERY_0" for n in range(4)] and set(map(type, texts.values())) == {str}
    assert set(idioms.values()) <= {0, 1, 2} and len(idioms) == 8
    assert all(idioms[f"#idiom{n:06}#"] != idioms[f"#idiom{n + 500:06}#"] for n in range(4))  # of one record


def write_answers(data: Path) -> None:
    """CMRC with a question for each text, ChID with two blanks in each record."""
    for name, first, count in (("train", 0, 40), ("dev", 50, 10), ("test", 0, 4)):
        paragraphs, passages, answers = [], [], {}
        for number, row in enumerate(records(count, first)):
            text, key = row["sentence1"], first + number
            question = {"id": f"{name.upper()}_{key}_QUERY_0", "question": "a ?"}
            known = {"answers": [{"text": text[:1], "answer_start": 0}]}
            paragraphs.append({"context": text, "qas": [question | (known if name != "test" else {})]})
            passages.append(
                {"candidates": ["a", "b", "c"], "content": [f"{text} #idiom{key:06}#", f"#idiom{key + 500:06}# {text}"]}
            )
            answers |= {f"#idiom{key:06}#": 0, f"#idiom{key + 500:06}#": 1}
        (data / "cmrc2018_public").mkdir(exist_ok=True)
        whole = json.dumps({"version": "v1.0", "data": [{"title": "", "paragraphs": paragraphs}]})
        (data / "cmrc2018_public" / f"{name}.json").write_text(whole)
        write(data / "chid_public" / f"{name if name != 'test' else 'test1.1'}.json", passages)
        if name != "test":
            (data / "chid_public" / f"{name}_answer.json").write_text(json.dumps(answers))


def test_a_stopped_benchmark_keeps_what_is_finished(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = one.tune

    def stop_at_csl(config: Any, **rest: Any) -> Any:
        if config.name == "clue-csl":
            raise InterruptedTrainingError("Stopped.")
        return tune(config, **rest)

    monkeypatch.setattr(one, "tune", stop_at_csl)
    assert run(arguments) == 130
    assert "finished tasks are kept" in capsys.readouterr().err
    found = json.loads(Path("out/results.json").read_text())
    assert [result["task"] for result in found["tasks"]] == ["afqmc"]
    assert Path("out/submission.zip").is_file()


def test_what_makes_no_sense_is_refused_before_anything_is_written(
    arguments: list[str], data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run([*arguments, "--set", "data.source=x.csv"]) == 2
    assert "data.source cannot be set here" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="clue has no task called 'squad'"):
        api.bench("clue", data, tasks=["squad"], output=tmp_path / "out")
    with pytest.raises(ConfigError, match="no benchmark suite called 'clu'"):
        api.bench("clu", data)
    with pytest.raises(DataError, match="There is no folder"):
        api.bench("glue", tmp_path / "nowhere")
    with pytest.raises(DataError, match="No task of glue could be run: There is no folder cola"):
        api.bench("glue", data, tasks=["cola"], output=tmp_path / "out", quiet=True)
    assert not (tmp_path / ".tuneloop").exists()
