"""A result is found again only as long as what was read beside the data is the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.experiments import reads
from tuneloop.experiments.reads import hash_of_read


@pytest.fixture
def hash_of(tiny_model: Path, tmp_path: Path) -> Any:
    shutil.copytree(tiny_model, tmp_path / "encoder")

    def find(**given: Any) -> str:
        plain = {"data": {"source": "x.csv"}, "model": {"source": "encoder"}, **given}
        return hash_of_read(parse_config(plain), base=tmp_path, workspace=Workspace(tmp_path / "w"))

    return find


def test_a_model_that_was_made_again_is_another_one(hash_of: Any, tmp_path: Path) -> None:
    first = hash_of()
    assert hash_of(training={"epochs": 9}) == first  # settings have a hash of their own
    (tmp_path / "encoder" / "README.md").write_text("no part of the model")
    assert hash_of() == first
    path = tmp_path / "encoder" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\1\2\3\4")
    assert hash_of() != first


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"method": {"type": "self_training", "texts": "more.txt"}}, "more.txt"),
        ({"method": {"type": "distill", "teacher": "mood-1"}}, "w/releases/mood-1/model.safetensors"),
        ({"method": {"type": "distill", "teacher": "run"}}, "w/runs/run/model/model.safetensors"),
        ({"knowledge": {"lexicons": ["words.csv"], "context": ["lexicon"]}}, "words.csv"),
        ({"data": {"source": "x.csv", "augment": {"perturbations": ["typos"], "attack": "mood-1"}}},
         "w/releases/mood-1/model.safetensors"),
    ],
)  # fmt: skip
def test_whatever_settings_name_is_read_by_its_content(hash_of: Any, tmp_path: Path, settings: Any, path: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".safetensors":
        (file.parent / "tuneloop.json").write_text("{}")
    found = []
    for content in (None, "one", "two"):
        if content:
            file.write_text(content)
        found.append(hash_of(**settings))
    assert len(set(found)) == 3 and hash_of() not in found[1:]


def test_words_are_words_however_they_look(hash_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = reads.resolve
    monkeypatch.setattr(reads, "resolve", lambda source, **given: asked.append(source) or real(source, **given))
    words = {"a": ["TV/film", ".", "/", "..", "x" * 300, "\0"]}
    assert hash_of(method={"type": "zero_shot", "descriptions": words}) == hash_of()
    assert set(asked) == {"encoder"}  # and no hub is asked for a word


def test_a_comparison_finds_a_teacher_by_its_name(project: Path) -> None:
    settings = {"training.epochs": 2, "comparison.budgets": ["all"]}
    run = api.tune(api.open_project(project / "tuneloop.yaml", overrides=settings), quiet=True)
    methods = {"comparison.methods": [{"type": "distill", "teacher": run.id}]}
    found = api.compare(api.open_project(project / "tuneloop.yaml", overrides=settings | methods), quiet=True)
    assert found["failed"] == {} and "distill" in {each["label"] for each in found["budgets"][0]["methods"]}
