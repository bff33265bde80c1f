"""A configuration, wherever it lies, starts from the folder of its project."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core.project import open_project


def test_the_configuration_of_a_run_stands_for_its_project(tmp_path: Path) -> None:
    folder = tmp_path / "project" / ".tuneloop" / "runs" / "x"
    folder.mkdir(parents=True)
    path = folder / "config.yaml"
    path.write_text("data:\n  source: texts.csv\nseed: 5\n")
    assert open_project(path).base == folder
    (folder / "run.json").write_text("{}")
    found = open_project(path, overrides={"training.epochs": 2})
    assert found.base == tmp_path / "project"
    assert found.workspace.root == tmp_path / "project" / ".tuneloop"
    assert (found.config.seed, found.config.training.epochs) == (5, 2)
