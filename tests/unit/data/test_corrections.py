"""Corrections lie beside the data, hold for what rows say, and make another snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.project import Project
from tuneloop.data.check_kept import keep_check, kept_check
from tuneloop.data.lineage import changes
from tuneloop.data.snapshot import Snapshot, open_snapshot

Build = Callable[..., Snapshot]


@pytest.fixture
def project(tmp_path: Path, reviews: Path) -> Project:
    """The 60 reviews, as a project of its own."""
    config = {"data": {"source": reviews.name}, "task": "classification", "workspace": "workspace"}
    return Project(parse_config(config), tmp_path)


def write(folder: Path, *lines: dict[str, Any]) -> None:
    (folder / "corrections.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def labels(snapshot: Snapshot) -> dict[str, Any]:
    """By text."""
    parts = [snapshot.split(name) for name in ("train", "dev", "test")]
    return {text: label for part in parts for text, label in zip(part.texts, part.labels, strict=True)}


def test_a_corrected_row_and_one_left_out_make_another_snapshot(tmp_path: Path, build: Build, reviews: Path) -> None:
    before = build()
    first, second = list(labels(before))[:2]
    write(tmp_path, {"text": first, "label": "good"}, {"text": first, "was": "good", "label": "bad"},
          {"text": second, "leave_out": True}, {"text": "not there", "label": "bad"})  # fmt: skip
    after = build()
    assert after.hash != before.hash and labels(after) == {
        text: "bad" if text == first else label for text, label in labels(before).items() if text != second
    }
    assert after.report["corrections"]["left_out"] == 1 and after.report["corrections"]["unused"] == [4]
    assert build().path == after.path
    (tmp_path / "corrections.jsonl").unlink()
    assert build().hash == before.hash


def test_a_correction_holds_for_the_label_that_it_names_and_after_rows_have_moved(
    tmp_path: Path, build: Build, reviews: Path
) -> None:
    text, label = next(iter(labels(build()).items()))
    other = {"good": "bad", "bad": "good"}[label]
    write(tmp_path, {"text": text, "was": other, "label": label})
    assert labels(build())[text] == label
    write(tmp_path, {"text": text, "was": label, "label": other})
    head, *lines = reviews.read_text(encoding="utf-8").splitlines()
    reviews.write_text("\n".join([head, *reversed(lines)]) + "\n", encoding="utf-8")
    assert labels(build())[text] == other


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a", "label": ""}', "the label is empty"),
        ('{"text": "", "label": "good"}', "the text is missing"),
        ('{"text": "a"}', 'either "label" or "leave_out": true'),
        ('{"text": "a", "label": "good", "leave_out": true}', 'either "label" or "leave_out": true'),
        ('{"text": "a", "label": "good", "why": "x"}', '"why" is none of'),
        ('{"text": "a", "label": "good"', "broken JSON"),
    ],
)
def test_a_wrong_line_is_named_with_its_file_and_row(
    tmp_path: Path, build: Build, reviews: Path, line: str, reason: str
) -> None:
    (tmp_path / "corrections.jsonl").write_text('{"text": "b", "label": "good"}\n' + line + "\n")
    with pytest.raises(DataError, match=reason) as caught:
        build()
    assert "corrections.jsonl, row 2" in caught.value.problem


def test_correcting_a_row_twice_leaves_one_line_and_back_again_none(tmp_path: Path, project: Project) -> None:
    snapshot = api.snapshot(project, quiet=True)
    part = snapshot.split("dev")
    row, given = part.ids[0], str(part.labels[0])
    other = {"good": "bad", "bad": "good"}[given]
    api.correct("dev", row, leave_out=True, config=project)
    api.correct("dev", row, other, config=project)
    found = api.corrections(project)
    assert [each.as_json() for each in found.state.pending] == [
        {"text": part.texts[0], "was": given, "label": other}
    ] and not found.current
    after = api.snapshot(project, quiet=True)
    again = api.corrections(project)
    assert again.current and not again.state.pending and again.snapshot and again.snapshot.hash == after.hash
    told = changes(snapshot, after)
    assert (told.relabelled, told.gone, told.new) == (1, 0, 0) and told.examples == [(part.texts[0], given, other)]

    undone = api.undo_correction(config=project)
    assert undone.text == part.texts[0] and api.corrections(project).state.taken_back == 1
    assert api.snapshot(project, quiet=True).hash == snapshot.hash
    back = api.corrections(project)
    assert back.current and back.snapshot and back.snapshot.hash == snapshot.hash and not back.state.taken_back
    assert (tmp_path / "corrections.jsonl").read_text() == ""
    with pytest.raises(DataError, match="no correction"):
        api.undo_correction(config=project)


def test_what_people_wrote_into_the_file_stays_as_they_wrote_it(tmp_path: Path, project: Project) -> None:
    part = api.snapshot(project, quiet=True).split("train")
    line = json.dumps({"label": "good", "text": part.texts[0]}, separators=(",", ":"))
    (tmp_path / "corrections.jsonl").write_text(line + "\n\n")
    api.correct("train", part.ids[1], leave_out=True, config=project)
    api.undo_correction(config=project)
    assert (tmp_path / "corrections.jsonl").read_text() == line + "\n"


def test_an_impossible_correction_is_refused_and_nothing_written(tmp_path: Path, project: Project) -> None:
    row = api.snapshot(project, quiet=True).split("train").ids[0]
    with pytest.raises(DataError, match="did you mean good"):
        api.correct("train", row, "goood", config=project)
    with pytest.raises(DataError, match="no row nowhere"):
        api.correct("train", "nowhere", "good", config=project)
    with pytest.raises(ConfigError, match="gets a label or is left out"):
        api.correct("train", row, config=project)
    assert not (tmp_path / "corrections.jsonl").exists()


@pytest.mark.parametrize(
    ("task", "cells", "label", "kept"),
    [
        ("multilabel", ["warm; kind", "cold"], "kind", ("kind",)),
        ("multilabel", ["warm; kind", "cold"], [], ()),
        ("regression", ["1.5", "2"], "3.25", 3.25),
    ],
)
def test_several_classes_and_numbers_are_corrected_too(
    tmp_path: Path, task: str, cells: list[str], label: Any, kept: Any
) -> None:
    texts = [f"{number * 7919:x} {number**3:o} {number * 104729:b}" for number in range(1, 41)]
    rows = "".join(f"{text},{cells[number % 2]}\n" for number, text in enumerate(texts))
    (tmp_path / "data.csv").write_text("text,label\n" + rows)
    project = Project(parse_config({"data": {"source": "data.csv"}, "task": task, "workspace": "w"}), tmp_path)
    part = api.snapshot(project, quiet=True).split("train")
    api.correct("train", part.ids[0], label, config=project)
    assert labels(api.snapshot(project, quiet=True))[part.texts[0]] == kept


def test_a_kept_check_says_what_the_check_said_and_a_damaged_one_nothing(
    tmp_path: Path, project: Project, tiny_model: Path
) -> None:
    settings = {"data": {"source": "data.csv"}, "workspace": "workspace", "model": {"source": str(tiny_model)}}
    project = Project(parse_config(settings | {"task": "classification"}), tmp_path)
    report = api.check(project, quiet=True)
    assert kept_check(report.hash, project.workspace) == report
    (kept,) = (project.workspace.cache / "checks").iterdir()
    kept.write_text(kept.read_text()[:-30])
    assert kept_check(report.hash, project.workspace) is None
    keep_check(report, project.workspace)
    assert kept_check(report.hash, project.workspace) == report


def test_the_newest_snapshot_is_of_the_same_settings(tmp_path: Path, project: Project) -> None:
    assert api.newest_snapshot(project) is None
    made = api.snapshot(project, quiet=True)
    other = parse_config({"data": {"source": "data.csv", "split": {"dev": 0.3}}, "task": "classification"})
    api.snapshot(Project(other.model_copy(update={"workspace": "workspace"}), tmp_path), quiet=True)
    found = api.newest_snapshot(project)
    assert found is not None and found.hash == made.hash == open_snapshot(made.path).hash
