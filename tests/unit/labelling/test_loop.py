"""From a pool of texts through people's answers to a file that tuning reads, through the doors."""

from __future__ import annotations

import json
import os
import pty
import select
import sys
from pathlib import Path
from typing import Any

import pytest

from tuneloop import api
from tuneloop.api.labelling import label_undo, open_labels
from tuneloop.cli.app import run
from tuneloop.cli.asking import ask
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.labelling.base import Suggestion
from tuneloop.labelling.store import Item, LabelStore, item_id

POOL = [f"text number {n}" for n in range(12)]


def in_order(items: list[Any], labelled: Any, model: Any, *, count: int, **_: Any) -> list[Suggestion]:
    """The first texts of the pool."""
    return [Suggestion(row, item, 0.0, "order") for row, item in enumerate(items[:count])]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pool and with data of which some rows have no label."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNELOOP_ANNOTATOR", "ann")
    monkeypatch.setattr("tuneloop.labelling.queue.suggest", in_order)  # strategies have their own tests
    Path("pool.txt").write_text("\n".join(POOL))
    rows = [{"text": f"known {n}", "label": ["bad", "good"][n % 2]} for n in range(20)] + [
        {"text": "open", "label": ""}
    ]
    Path("data.csv").write_text("text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in rows))
    Path("tuneloop.yaml").write_text("name: hotel\ndata:\n  source: data.csv\ntask: classification\n")
    return tmp_path


def give(label: str, items: list[Item], who: str = "ann") -> None:
    with open_labels() as store:
        for item in items:
            store.answer(item.id, who, label)


def test_texts_go_from_the_pool_to_people_and_into_a_file_that_tuning_reads(place: Path) -> None:
    first = api.label_next(pool="pool.txt", count=4, strategy="random")
    assert len({item.text for item in first}) == 4 and {item.text for item in first} <= set(POOL)
    assert api.label_next(pool="pool.txt", count=4, strategy="random") == first  # they still wait for ann
    others = api.label_next(pool="pool.txt", count=4, strategy="random", annotator="bob")
    assert not {item.id for item in others} & {item.id for item in first}
    give("good", first)
    give("bad", others, "bob")
    assert {item.id for item in api.label_next(per_item=2, count=4, strategy="random")} == {item.id for item in others}
    assert [item.text for item in api.label_next(count=1, strategy="random")] == ["open"]  # of the data

    before = Path("data.csv").read_bytes()
    give("good", api.label_next(count=1, strategy="random"))
    found = api.label_export(Path("more.jsonl"), add_to="data.csv")
    assert (found.rows, found.filled, found.kept) == (8, 1, 0)
    assert Path("data.csv").read_bytes() == before
    Path("tuneloop.yaml").write_text("name: hotel\ndata:\n  source: more.jsonl\ntask: classification\n")
    data = api.snapshot(quiet=True)
    rows = {text: label for name in ("train", "dev", "test")
            for text, label in zip(data.split(name).texts, data.split(name).labels, strict=True)}  # fmt: skip
    assert len(rows) == 29 and rows["open"] == "good" and rows[others[0].text] == "bad" and rows["known 0"] == "bad"


def test_a_row_that_has_a_label_keeps_it_and_the_old_file_is_never_written(place: Path) -> None:
    Path("said.jsonl").write_text('{"text": "known 0", "label": "good"}\n{"text": "new", "label": "bad"}\n')
    api.label_import(Path("said.jsonl"))
    found = api.label_export(Path("new.jsonl"), add_to="data.csv")
    assert (found.rows, found.kept, found.filled) == (1, 1, 0)
    rows = [json.loads(line) for line in Path("new.jsonl").read_text().splitlines()]
    assert rows[0] == {"text": "known 0", "label": "bad"} and rows[-1] == {"text": "new", "label": "bad"}
    with pytest.raises(ConfigError, match="exists already"):
        api.label_export(Path("new.jsonl"), add_to="data.csv")
    with pytest.raises(ConfigError, match="never changed"):
        api.label_export(Path("new.jsonl"), add_to="new.jsonl", force=True)


def test_a_cell_of_white_space_is_filled_in_its_place(place: Path) -> None:
    Path("data.csv").write_text("text,label\nold,good\nolder,bad\nblank, \n")
    Path("said.jsonl").write_text('{"text": "blank", "label": "bad"}\n')
    api.label_import(Path("said.jsonl"))
    found = api.label_export(Path("new.jsonl"), add_to="data.csv")
    assert (found.rows, found.filled) == (0, 1)
    assert [json.loads(line)["label"] for line in Path("new.jsonl").read_text().splitlines()] == ["good", "bad", "bad"]


def test_what_people_disagree_on_goes_to_somebody_else_and_ties_are_not_exported(place: Path) -> None:
    items = api.label_next(pool="pool.txt", count=3, strategy="random")
    give("good", items)
    give("bad", items[:1], "bob")
    give("good", items[1:], "bob")
    status = api.label_status()
    assert (status["disagreed"], status["tied"], status["labelled"]) == (1, 1, 3)
    assert status["agreement"]["items"] == 3 and status["labels"] == {"good": 2}
    found = api.label_export(Path("a.jsonl"), adjudicated="majority")
    assert (found.rows, found.undecided) == (2, 1)
    (split,) = api.label_next(disagreed=True, annotator="judge")
    assert split.id == items[0].id
    give("bad", [split], "judge")
    assert api.label_status()["tied"] == 0
    with pytest.raises(DataError, match="judge has answered them all"):
        api.label_next(disagreed=True, annotator="judge")
    undone = label_undo(annotator="judge")
    assert undone is not None and undone[1].label == "bad" and api.label_status()["tied"] == 1


def test_a_class_that_the_data_does_not_have_is_refused_until_it_is_named(place: Path) -> None:
    Path("said.csv").write_text("text,label\na,good\nb,goood\n")
    with pytest.raises(DataError, match=r"said\.csv, row 3.*did you mean good"):
        api.label_import(Path("said.csv"))
    found = api.label_import(Path("said.csv"), labels=["goood"])
    assert found.added == 2


def test_without_a_terminal_the_command_says_what_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["label", "next", "--pool", "pool.txt", "--strategy", "random"]) == 2
    assert "There is no terminal to ask in." in capsys.readouterr().err
    assert run(["label", "next", "--pool", "pool.txt", "--strategy", "random", "-n", "3", "--to", "to.csv"]) == 0
    lines = Path("to.csv").read_text().splitlines()
    assert lines[0] == "text,label" and len(lines) == 4
    Path("to.csv").write_text("\n".join([lines[0], lines[1] + "good", *lines[2:]]) + "\n")
    assert run(["label", "import", "to.csv"]) == 0
    assert "New answers: 1." in capsys.readouterr().err
    assert run(["label", "export", "--to", "out.jsonl"]) == 0
    assert json.loads(Path("out.jsonl").read_text())["label"] == "good"


def test_a_terminal_asks_key_by_key(place: Path) -> None:
    """In a real pseudo-terminal: good; an arrow, bad, undo; good and skip. Keys may be typed ahead."""
    child, screen = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "tuneloop", "label", "next", "--pool", "pool.txt", "-n", "3",
                                  "--strategy", "random"])  # fmt: skip
    shown = ""
    for wait, key in [("1 of 3", "2"), ("2 of 3", "\x1b[A1u"), ("2 of 3", "2s")]:
        shown = _read_until(screen, wait)
        os.write(screen, key.encode())
    _read_until(screen, "answers are kept")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    os.close(screen)
    with open_labels() as store:
        assert [(each.label, each.skipped) for each in store.answers(skipped=True)] == [
            ("good", False), ("good", False), (None, True),
        ]  # fmt: skip


def _read_until(screen: int, wanted: str) -> str:
    shown = ""
    while wanted not in shown:
        ready, _, _ = select.select([screen], [], [], 30)
        assert ready, shown
        shown += os.read(screen, 4096).decode()
    return shown


def asked(folder: Path, task: str, text: str, typed: list[str], **more: Any) -> tuple[list[Any], str]:
    """The answers after these were typed, and what was shown."""
    shown: list[str] = []
    keys = iter([*typed, "q"])
    with LabelStore(folder, create=task) as store:
        store.add_names(["per", "loc"] if task == "tagging" else ["bad", "good"])
        item = Item(item_id(text), text, **more)
        store.keep([item])
        kind = {"classification": "class", "multilabel": "classes", "regression": "number", "tagging": "spans"}[task]
        ask(store, [item], "ann", kind, read=lambda: next(keys), show=shown.append)  # type: ignore[arg-type]
        return [each.label for each in store.answers()], "\n".join(shown)


def test_every_kind_of_label_can_be_typed_and_what_is_none_is_asked_again(tmp_path: Path) -> None:
    said, shown = asked(tmp_path / "a", "classification", "x\x1b[2Jy", ["7", "\r"], guess="good")
    assert said == ["good"] and "\x1b" not in shown and "'7' is the key of no class." in shown
    assert asked(tmp_path / "b", "multilabel", "x", ["", "2 1"])[0] == [["bad", "good"]]
    assert asked(tmp_path / "c", "multilabel", "x", ["-"])[0] == [[]]
    assert asked(tmp_path / "d", "regression", "x", ["nan", "-2.5"])[0] == [-2.5]
    said, shown = asked(tmp_path / "e", "tagging", "Ann Lee in Rome", ["9 1", "1-2 1, 4 2"])
    assert said == [[{"start": 0, "end": 7, "label": "per"}, {"start": 11, "end": 15, "label": "loc"}]]
    assert "The text has the words 1 to 4." in shown and "1:Ann 2:Lee" in shown


def test_a_release_chooses_by_the_engine_that_tells_vectors(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever form answers by default."""
    opened: list[str | None] = []

    class Answering:
        def predictor(self, engine: str | None = None) -> Any:
            opened.append(engine)
            return None

    monkeypatch.setattr("tuneloop.api.labelling.find", lambda name, workspace: Answering())
    assert len(api.label_next(pool="pool.txt", count=2, model="hotel-1")) == 2
    assert opened == ["torch-fp32"]
