"""Which files of a project can be chosen, and what the playground makes of its fields."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

pytest.importorskip("nicegui")

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.loop.origin import Kind, Node
from tuneloop.studio.files import data_files
from tuneloop.studio.pages import routes
from tuneloop.studio.pages.playground_inputs import inputs_of, shape_of
from tuneloop.studio.pages.release_origin import way_to
from tuneloop.tasks import TASKS, create_task


def test_data_files_of_the_folder_are_listed_and_nothing_of_the_workspace(tmp_path: Path) -> None:
    for name in ("b.csv", "a.JSONL", "notes.md", ".hidden.csv", "data/c.parquet", ".tuneloop/d.csv", "x/y/deep.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "folder.csv").mkdir()
    assert data_files(tmp_path) == ["a.JSONL", "b.csv", "data/c.parquet"]


def leads_somewhere(path: str) -> bool:
    """Whether a path is one of a page."""
    shapes = [re.sub(r"{\w+}", "[^/]+", route.path) for route in routes()]
    return any(re.fullmatch(shape, path) for shape in shapes)


def test_only_paths_of_pages_lead_somewhere() -> None:
    assert leads_somewhere("/release/mood-1") and leads_somewhere("/playground")
    assert not leads_somewhere("/nowhere") and not leads_somewhere("/release/mood-1/files/more")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_origin_has_a_page(kind: Kind) -> None:
    assert leads_somewhere(way_to(Node(kind, "mood-1", {})))


def task(name: str) -> Any:
    return create_task(TaskConfig(type=name), {"labels": ["no", "yes"]})


@pytest.mark.parametrize(
    ("name", "text", "pair", "wanted"),
    [
        ("classification", " a ", "", [" a "]),
        ("classification", "  ", "", []),
        ("pair", "a", "b", [("a", "b")]),
        ("pair", "a", " ", []),
        ("retrieval", "q", "one\n\n two", [("q", "one"), ("q", " two")]),
        ("multiple_choice", "q", "one\n two ", [("q", "one\ntwo")]),
        ("qa", "q", "a text", [("q", "a text")]),
    ],
)
def test_fields_become_inputs_once_all_are_filled(name: str, text: str, pair: str, wanted: list[Any]) -> None:
    assert inputs_of(task(name), text, pair) == wanted


def test_one_choice_is_no_input_yet_and_the_reason_is_told() -> None:
    with pytest.raises(DataError, match="two choices"):
        inputs_of(task("multiple_choice"), "q", "one")


@pytest.mark.parametrize("name", [name for name in TASKS.names() if name != "generation"])
def test_every_task_has_fields(name: str) -> None:
    assert bool(shape_of(task(name)).pair) == TASKS.get(name).takes_pairs
