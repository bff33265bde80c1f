"""The whole way on a small file, as a user goes it: every command once, each on what the one before left."""

from __future__ import annotations

import csv
import errno
import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tuneloop as tl
from tuneloop.cli.app import run
from tuneloop.core import fsio

GOOD, BAD = ["great", "lovely", "excellent", "superb"], ["awful", "terrible", "dreadful", "poor"]
NOUNS = ["room", "meal", "film", "phone", "trip", "book", "coffee", "service", "hotel", "garden", "lamp", "shoe"]
QUICK = ["--set", "training.epochs=2", "--set", "training.learning_rate=3e-4", "--set", "release.forms=[openvino-bf16]"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data file, a configuration, one run and one release."""
    folder = tmp_path_factory.mktemp("project")
    draw = random.Random(0)
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "mood", "shop"])
        for number in range(240):
            good = number % 2 == 0
            words = GOOD if good else BAD
            first, second = draw.choice(NOUNS), draw.choice(NOUNS)
            text = f"the {first} was {draw.choice(words)} and the {second} {draw.randrange(999)} too"
            writer.writerow([text, "positive" if good else "negative", draw.choice(["north", "south"])])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["init", "reviews.csv"]) == 0
        assert run(["tune", "-q", *QUICK]) == 0
        assert run(["release", "-q"]) == 0
    return folder


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as current folder."""
    monkeypatch.chdir(project)
    return project


def test_check_prints_a_table_and_writes_a_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "-q", "--html", "page.html"]) == 0
    assert 'Label "positive"' in capsys.readouterr().out
    assert "http://" not in (here / "page.html").read_text().replace("http://www.w3.org/", "")
    assert run(["check", "-q", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"].keys() == {"positive", "negative"}


def test_a_dry_run_predicts_and_changes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path for path in here.rglob("*") if path.is_file())
    assert run(["tune", "--dry-run", "-q", "--json", *QUICK]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["steps"] == 2 * -(-planned["train_rows"] // 32)
    assert planned["seconds"] > 0 and planned["memory_bytes"] > 50_000_000
    assert planned["trained_parameters"] > 20_000_000
    assert planned["parameters"] - planned["trained_parameters"] == 1_774_464  # the layer that takes the mean
    assert sorted(path for path in here.rglob("*") if path.is_file()) == before


def test_the_evaluation_stands_beside_baselines_with_intervals(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["releases", "show", "reviews", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    evaluation = shown["evaluation"]
    assert evaluation["baselines"].keys() == {"tfidf", "majority"}
    figure = evaluation["metrics"]["macro_f1"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert figure["value"] > evaluation["baselines"]["majority"]["macro_f1"]["value"]
    assert "<svg" in (here / ".tuneloop/releases/reviews-1/report.html").read_text()


def test_what_was_evaluated_is_what_is_served(here: Path) -> None:
    release = tl.load("reviews")
    served = release.info["served"]
    assert served["engine"] == release.engine
    assert served["max_difference"] < 0.02
    assert served["agreement"] == 1.0
    texts = ["the room was great", "the meal 7 was awful and the lamp too", "a book"]
    forms = [release.predictor(engine).scores(texts) for engine in ("torch-fp32", "openvino-bf16")]
    assert np.abs(forms[0] - forms[1]).max() < 0.02


def test_a_release_opens_where_tuneloop_is_not_installed(here: Path) -> None:
    program = """
import sys
sys.modules["tuneloop"] = None
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
tokens = AutoTokenizer.from_pretrained(sys.argv[1])(sys.argv[2], return_tensors="pt")
print(model(**tokens).logits.softmax(-1).tolist()[0], [model.config.id2label[n] for n in range(2)])
"""
    text = "the garden was superb and the shoe 5 too"
    command = [sys.executable, "-c", program, ".tuneloop/releases/reviews-1", text]
    answered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    prediction = tl.load("reviews").predictor("torch-fp32").predict([text])[0]
    expected = list(prediction.probabilities.values())
    probabilities, names = answered.strip().split("] [")
    assert json.loads(probabilities + "]") == pytest.approx(expected, abs=1e-4)
    assert names.replace("'", "").rstrip("]").split(", ") == list(prediction.probabilities)


def test_predict_keeps_the_columns_and_takes_standard_input(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", "reviews", "reviews.csv", "-q", "-o", "out.csv"]) == 0
    with (here / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 240
    assert list(rows[0])[:3] == ["review", "mood", "shop"]
    assert sum(row["prediction"] == row["mood"] for row in rows) > 200

    stdin = io.TextIOWrapper(io.BytesIO("a great room\n很好\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(["predict", "reviews", "-q"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in lines] == ["a great room", "很好"]
    assert lines[0]["prediction"] == "positive"


def test_resuming_a_finished_run_gives_it_and_another_configuration_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tune", "-q", "--resume", "--json", *QUICK]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "finished"
    assert run(["tune", "-q", "--resume", *QUICK, "--set", "training.epochs=3"]) == 2
    assert "training.epochs" in capsys.readouterr().err


def test_a_second_release_is_compared_with_the_first_pair_by_pair(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tune", "-q", "--set", "method=probe", "--set", "release.forms=[]"]) == 0
    assert run(["release", "-q"]) == 0
    capsys.readouterr()
    assert run(["releases", "diff", "reviews-1", "reviews-2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["config"]["method.type"] == ["full", "probe"]
    assert found["paired"]["verdict"] in ("better", "worse", "cannot tell")
    assert run(["releases", "export", "reviews-2", "copy"]) == 0
    assert (here / "copy" / "model.safetensors").is_file()
    assert run(["releases", "list"]) == 0
    assert "reviews-2" in capsys.readouterr().out


def test_a_flipped_byte_is_found_before_anything_is_answered(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(project / ".tuneloop", tmp_path / ".tuneloop")
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / ".tuneloop/releases/reviews-1/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    for command in (
        ["predict", "reviews-1", str(project / "reviews.csv"), "-q"],
        ["serve", "reviews-1", "--port", "0"],
    ):
        assert run(command) == 2
        shown = capsys.readouterr()
        assert "model.safetensors" in shown.err and "Traceback" not in shown.err
        assert shown.out == ""


def test_a_full_disk_stops_a_release_with_one_sentence_and_harms_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in here.glob(".tuneloop/releases/*/*")}

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(fsio, "_fsync", full)
        assert run(["release", "-q"]) == 2
    complaint = capsys.readouterr().err
    assert "disk is full" in complaint and len(complaint.strip().splitlines()) == 2
    assert {path: path.stat().st_mtime_ns for path in here.glob(".tuneloop/releases/*/*")} == before
    assert tl.load("reviews").predict(["a great room"])[0].label == "positive"
