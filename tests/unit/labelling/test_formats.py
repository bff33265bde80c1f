from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.labelling.exporting import export_file
from tuneloop.labelling.formats.tables import defused, restored
from tuneloop.labelling.importing import import_file
from tuneloop.labelling.store import LabelStore

FORMATS = {"jsonl": "a.jsonl", "csv": "a.csv", "label-studio": "a.json", "doccano": "a.jsonl", "argilla": "a.json"}
GIVEN: dict[str, list[tuple[str, str | None, Any]]] = {
    "classification": [("=1+1 is good", None, "+good"), ('\'=quoted\nline, "x"', None, "bad"), ("文本 😀", None, "好")],
    "multilabel": [("both", None, ["-size", "price; net"]), ("neither", None, [])],
    "tagging": [("😀 cat in Rome", None, [{"start": 2, "end": 5, "label": "animal"}]), ("nothing", None, [])],
    "pair": [("@one", "two", "same"), ("one", "\tthree", "other")],
    "pair_regression": [("one", "two", -3.5), ("one", "three", 1e-7)],
}


def filled(folder: Path, task: str) -> LabelStore:
    from tuneloop.labelling.store import Answer, Item, item_id

    store = LabelStore(folder, create=task)
    rows = [(Item(item_id(text, pair), text, pair), label) for text, pair, label in GIVEN[task]]
    answers = [
        Answer(0, item.id, who, label, False, 1_700_000_000.25, 2.5)
        for who in ("Ann B.", "bob@example.org")
        for item, label in rows
    ]
    store.keep([item for item, _ in rows], answers)
    store.answer(rows[0][0].id, "carol", None, skipped=True)
    return store


def content(store: LabelStore) -> list[Any]:
    items = store.items()
    return sorted(
        (items[each.item].text, items[each.item].pair or "", each.annotator, json.dumps(each.label), each.skipped)
        for each in store.answers(skipped=True)
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("task", GIVEN)
def test_what_is_exported_comes_back_as_it_was(tmp_path: Path, task: str, format: str) -> None:
    path = tmp_path / FORMATS[format]
    with filled(tmp_path / "one", task) as one, LabelStore(tmp_path / "other", create=task) as other:
        if (task, format) == ("pair_regression", "doccano"):
            with pytest.raises(ConfigError, match="doccano has no numbers"):
                export_file(one, path, format=format, skipped=True)
            assert not path.exists()
            return
        export_file(one, path, format=format, skipped=True)
        found = import_file(other, path, format=format, annotator="nobody")
        assert content(other) == content(one)
        assert (found.added, found.skipped, found.unchanged) == (2 * len(GIVEN[task]), 1, 0)
        again = import_file(other, path, format=format, annotator="nobody")
        assert (again.added, again.skipped, again.unchanged) == (0, 0, 2 * len(GIVEN[task]) + 1)
        assert len(other.history()) == 2 * len(GIVEN[task]) + 1


def test_no_cell_of_a_spreadsheet_is_a_formula(tmp_path: Path) -> None:
    with filled(tmp_path, "classification") as store:
        export_file(store, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell]
    assert "'=1+1 is good" in cells and "''=quoted\nline, \"x\"" in cells
    for text in ("=a", "'=a", "''-", "'a", "a=", "", "'", "\ra", "1"):
        assert restored(defused(text)) == text


def test_label_studio_files_are_read_as_its_page_exports_them(tmp_path: Path) -> None:
    value = {"start": 3, "end": 6, "text": "cat", "labels": ["animal"]}  # an emoji is two units there
    tasks = [
        {"id": 7, "data": {"text": "😀 cat", "meta": 1}, "annotations": [
            {"id": 1, "completed_by": {"id": 4, "email": "a@b.c"}, "created_at": "2024-05-01T10:00:00.5Z",
             "lead_time": 4.5, "was_cancelled": False,
             "result": [{"from_name": "label", "to_name": "text", "type": "labels", "value": value}]},
            {"completed_by": 9, "was_cancelled": True, "result": []}]},
        {"data": {"text": "unseen"}, "annotations": []},
    ]  # fmt: skip
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    with LabelStore(tmp_path, create="tagging") as store:
        found = import_file(store, path, format="label-studio", annotator="me")
        answers = store.answers(skipped=True)
    assert (found.added, found.skipped, found.empty) == (1, 1, 1)
    assert answers[0].label == [{"start": 2, "end": 5, "label": "animal"}]
    assert [(each.annotator, each.skipped, each.seconds) for each in answers] == [
        ("a@b.c", False, 4.5),
        ("9", True, None),
    ]


def test_both_versions_of_argilla_and_of_doccano_are_read(tmp_path: Path) -> None:
    new = [{"fields": {"text": "x"}, "responses": {"label": [{"value": "a", "user_id": "u1"}]}}]
    old = [{"fields": {"text": "y"}, "responses": [
        {"user_id": "u2", "status": "submitted", "values": {"label": {"value": "b"}}},
        {"user_id": "u3", "status": "draft", "values": {"label": {"value": "c"}}}]}]  # fmt: skip
    (tmp_path / "new.json").write_text(json.dumps(new))
    (tmp_path / "old.json").write_text(json.dumps(old))
    (tmp_path / "d.jsonl").write_text(
        '{"id": 1, "text": "z", "label": ["a"], "Comments": []}\n{"text": "w", "label": []}'
    )
    with LabelStore(tmp_path, create="classification") as store:
        store.add_names(["a", "b"])
        for name, format in (("new.json", "argilla"), ("old.json", "argilla"), ("d.jsonl", "doccano")):
            import_file(store, tmp_path / name, format=format, annotator="me")
        assert [(each.annotator, each.label) for each in store.answers()] == [("u1", "a"), ("u2", "b"), ("me", "a")]


WRONG = {
    "empty text": ("classification", "csv", "text,label\ngood,a\n ,b\n", 'a.csv, row 3, field "text"'),
    "unknown class": ("classification", "csv", "text,label\ngood,a\nfine,aa\n", 'a.csv, row 3, field "label"'),
    "no number": ("regression", "csv", "text,label\ngood,1\nfine,many\n", 'a.csv, row 3, field "label"'),
    "outside": (
        "tagging", "jsonl", '{"text": "ab", "label": [[0, 9, "a"]]}', 'a.jsonl, row 1, field "label"',
    ),
    "two answers": ("classification", "csv", "text,label\ngood,a\nbad,b\ngood,b\n", "otherwise at a.csv, row 2"),
    "no time": ("classification", "csv", "text,label,at\ngood,a,soon\n", 'a.csv, row 2, column "at"'),
    "several": ("classification", "doccano", '{"text": "x", "label": ["a", "b"]}', 'a.jsonl, row 1, column "label"'),
    "no choices": (
        "classification", "label-studio",
        '[{"data": {"text": "x"}, "annotations": [{"result": [{"value": {"rating": 3}}]}]}]',
        'row 1, field "annotations[0].result[0].value.choices"',
    ),
    "no field": ("classification", "argilla", '[{"fields": {"body": "x"}}]', 'row 1, field "fields.text"'),
    "no object": ("classification", "argilla", "[1]", "a.json, row 1: an object should stand here"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_row_is_named_and_nothing_is_imported(tmp_path: Path, case: str) -> None:
    task, format, text, place = WRONG[case]
    path = tmp_path / FORMATS[format]
    path.write_text(text, encoding="utf-8")
    with LabelStore(tmp_path, create=task) as store:
        store.add_names(["a", "b"] if task == "classification" else [])
        with pytest.raises(DataError) as error:
            import_file(store, path, format=format, annotator="me")
        assert place in error.value.problem and error.value.hint
        assert store.items() == {} and store.history() == []
