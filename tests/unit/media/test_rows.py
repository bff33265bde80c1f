"""Columns of a file as items: every file is opened once, and what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.media import square, tone, wav
from tuneloop.core.data import Columns
from tuneloop.core.errors import DataError
from tuneloop.data.readers.table import Table
from tuneloop.media import rows as media_rows
from tuneloop.media import store
from tuneloop.media.items import compose, parse
from tuneloop.media.rows import NOTHING, input_of, item_of, items, pairs

ALL = Columns(text="said", image="picture", audio="sound", tabular=("price", "shop"))


def table(folder: Path, **columns: list[Any]) -> Table:
    """A table whose file lies in a folder with a.png, b.png and a.wav."""
    for name, data in {"a.png": square("red"), "b.png": square("blue"), "a.wav": wav(tone(440))}.items():
        (folder / name).write_bytes(data)
    return Table(folder / "goods.csv", columns, range(2, 2 + len(next(iter(columns.values())))))


def test_a_row_is_its_text_its_files_and_its_values(tmp_path: Path) -> None:
    given = table(
        tmp_path, said=["a dress", None, ""], picture=["a.png", " a.png ", None], sound=[None, "a.wav", ""],
        price=[3.5, None, "7"], shop=["north", "", None],
    )  # fmt: skip
    media = tmp_path / "media"
    found = [parse(item) for item in items(given, ALL, folder=media)]
    image, sound = store.keep(square("red"), media), store.keep(wav(tone(440)), media)
    assert found == [
        {"text": "a dress", "image": image, "tabular": {"price": "3.5", "shop": "north"}},
        {"image": image, "audio": sound},
        {"tabular": {"price": "7"}},
    ]
    assert len([path for path in media.rglob("*") if path.is_file()]) == 2


def test_only_the_columns_that_are_named_are_read(tmp_path: Path) -> None:
    given = table(tmp_path, said=["a"], picture=["nowhere.png"], sound=[""], price=["1"], shop=["north"])
    assert items(given, Columns(text="said", tabular=("shop",)), folder=None) == [
        compose({"text": "a", "tabular": {"shop": "north"}})
    ]
    assert items(given, Columns(text="", tabular=("price",)), folder=None) == [compose({"tabular": {"price": "1"}})]


def test_a_file_that_many_rows_name_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read = store.read
    monkeypatch.setattr(media_rows.store, "read", lambda path: opened.append(path.name) or read(path))
    given = table(tmp_path, picture=["a.png", "b.png", "a.png", "a.png"])
    found = items(given, Columns(text="", image="picture"), folder=tmp_path / "media")
    assert opened == ["a.png", "b.png"] and found[0] == found[2] == found[3] != found[1]


def test_without_a_store_files_stay_where_they_are(tmp_path: Path) -> None:
    given = table(tmp_path, picture=["a.png"])
    before = sorted(tmp_path.rglob("*"))
    (item,) = items(given, Columns(text="", image="picture"), folder=None)
    assert sorted(tmp_path.rglob("*")) == before
    assert store.fetch(parse(item)["image"], []) == square("red")


def test_a_path_may_be_absolute_or_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = table(tmp_path, picture=[str(tmp_path / "a.png"), "~/a.png", "a.png"])
    assert len(set(items(given, Columns(text="", image="picture"), folder=tmp_path / "media"))) == 1


@pytest.mark.parametrize("name", ["none.png", ".", "~nobody-of-this-name/a.png", "a\0.png", "a.png/b.png"])
def test_a_missing_file_is_named_with_file_row_and_column(tmp_path: Path, name: str) -> None:
    given = table(tmp_path, picture=["a.png", name])
    with pytest.raises(DataError, match=r'goods\.csv, row 3, column "picture": ') as caught:
        items(given, Columns(text="", image="picture"), folder=tmp_path / "media")
    assert str(caught.value).count("\n") <= 1


@pytest.mark.parametrize(("column", "kind", "file"), [("image", "image", "a.wav"), ("audio", "sound", "a.png")])
def test_a_file_of_another_kind_is_named_too(tmp_path: Path, column: str, kind: str, file: str) -> None:
    given = table(tmp_path, files=[file])
    with pytest.raises(DataError, match=rf'goods\.csv, row 2, column "files": This is no {kind} that can be read'):
        items(given, Columns(text="", **{column: "files"}), folder=None)


@pytest.mark.parametrize("setting", ["text", "image", "audio", "tabular"])
def test_a_missing_column_is_named_with_its_setting(tmp_path: Path, setting: str) -> None:
    named: dict[str, Any] = {"text": "", "tabular": ("price",)} | {setting: ("x",) if setting == "tabular" else "x"}
    with pytest.raises(DataError, match=rf'no column "x".*\n.*Set data\.columns\.{setting}'):
        items(table(tmp_path, price=["1"]), Columns(**named), folder=None)


@pytest.mark.parametrize("wrong", [5, ["a"], {"a": 1}, True])
def test_a_text_that_is_none_is_refused(tmp_path: Path, wrong: Any) -> None:
    given = table(tmp_path, said=["a", wrong], price=["1", "2"])
    with pytest.raises(DataError, match=r'row 3, column "said": .* is not a text'):
        items(given, Columns(text="said", tabular=("price",)), folder=None)


def test_a_row_with_nothing_is_refused_and_one_with_anything_is_not(tmp_path: Path) -> None:
    given = table(tmp_path, said=["a", " "], picture=[None, ""], price=[None, None])
    columns = Columns(text="said", image="picture", tabular=("price",))
    with pytest.raises(DataError, match=r"goods\.csv, row 3: the row has neither a text nor anything else"):
        items(given, columns, folder=None)
    given.columns["price"][1] = 0  # no price, and a price of nothing
    assert items(given, columns, folder=None)[1] == compose({"tabular": {"price": 0}})


def test_for_retrieval_a_text_stands_beside_all_else_of_its_row(tmp_path: Path) -> None:
    given = table(tmp_path, said=["a", "b"], picture=["a.png", ""], price=["", "2"])
    columns = Columns(text="said", image="picture", tabular=("price",))
    texts, others = pairs(given, columns, folder=tmp_path / "media")
    assert texts == [compose({"text": "a"}), compose({"text": "b"})]
    assert [list(parse(other)) for other in others] == [["image"], ["tabular"]]
    for lacking in ({"said": ["a", None]}, {"price": ["", ""]}):
        with pytest.raises(DataError, match="row 3: the row has neither"):
            pairs(table(tmp_path, **given.columns | lacking), columns, folder=None)


def test_an_item_is_written_in_python_as_a_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(tmp_path, said=["a"])
    kept = item_of({"text": "a", "image": "a.png", "tabular": {"price": 2}}, base=tmp_path, folder=tmp_path / "media")
    assert parse(kept) == {
        "text": "a",
        "image": store.keep(square("red"), tmp_path / "media"),
        "tabular": {"price": "2"},
    }
    monkeypatch.chdir(tmp_path)
    assert parse(item_of({"image": Path("a.png")})) == {"image": parse(kept)["image"]}
    whole = parse(item_of({"audio": wav(tone(440))}))["audio"]
    assert whole.startswith("data:") and store.fetch(whole, []) == wav(tone(440))
    assert item_of("a text") == "a text"
    assert item_of({"text": "a", "image": None}) == compose({"text": "a"})


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"picture": "a.png"}, "is no item"),
        ({"text": 5}, "is no item"),
        ({"text": "a", "tabular": "price"}, "is no item"),
        (5, "is no item"),
        (None, "is no item"),
        ({}, "The item is empty"),
        ({"text": " ", "image": None, "tabular": {"price": None}}, "The item is empty"),
        ({"image": "none.png"}, "cannot be read"),
        ({"image": b"no image"}, "no image that can be read"),
        ({"audio": b"no sound"}, "no sound that can be read"),
    ],
)
def test_what_is_no_item_is_refused(tmp_path: Path, wrong: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        item_of(wrong, base=tmp_path)


def test_a_model_of_texts_is_given_texts_alone() -> None:
    for given in ("a", ("a", "b"), compose({"image": "x"})):
        assert input_of(given, ("text",)) == given
    with pytest.raises(DataError, match="judges texts alone"):
        input_of({"text": "a", "tabular": {"price": 1}}, ("text",))
    with pytest.raises(DataError, match="judges texts alone"):
        input_of(("a", {"image": square("red")}), ("text",))
    reads = ("text", "image")
    assert input_of({"text": "a"}, reads) == compose({"text": "a"})
    text, other = input_of(("a", {"image": square("red")}), reads)
    assert text == "a" and list(parse(other)) == ["image"]
    assert parse(NOTHING) == {}
