"""What a model of several modalities is given of an item, and how it is told what it was made for."""

from __future__ import annotations

import copy
import json
import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media import square, tone, wav, write_tiny_vit
from tuneloop.core.config import parse_config
from tuneloop.core.errors import DataError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.batches import inference_batches
from tuneloop.data.examples import Examples
from tuneloop.media import store
from tuneloop.media.items import compose
from tuneloop.models.fusing import fused_source
from tuneloop.models.item_tokenizer import Columns, ItemTokenizer, number_of, open_item_tokenizer, reads_items
from tuneloop.models.template import open_tokenizer


def rows(**columns: list[str | None]) -> list[dict[str, Any]]:
    """Rows of values, in which None is missing."""
    count = len(next(iter(columns.values())))
    return [
        {"tabular": {name: values[row] for name, values in columns.items() if values[row] is not None}}
        for row in range(count)
    ]


def test_a_column_is_one_of_numbers_if_all_that_stands_in_it_are_such() -> None:
    found = Columns.learnt(
        rows(price=["1", None, "3.5", "-2e1"], size=["1", "2", "3", "large"], shop=["b", "a", "b", None]),
        ["price", "size", "shop", "never"],
    )
    assert found.numbers.keys() == {"price"}
    assert found.numbers["price"] == pytest.approx((np.mean([1, 3.5, -20]), np.std([1, 3.5, -20])))
    assert found.names == {"size": ["1", "2", "3", "large"], "shop": ["a", "b"], "never": []}


def test_numbers_of_train_have_mean_0_and_deviation_1_and_missing_ones_are_not_numbers() -> None:
    train = rows(price=["1", "2", "6", None])
    found = Columns.learnt(train, ["price"])
    numbers = found.arrays(train)["numbers"]
    assert numbers.dtype == np.float32 and numbers.shape == (4, 1)
    assert np.mean(numbers[:3]) == pytest.approx(0, abs=1e-6) and np.std(numbers[:3]) == pytest.approx(1)
    others = found.arrays([*rows(price=[None, "north", "", "nan", "inf"]), {}, {"text": "a"}])["numbers"]
    assert np.isnan([numbers[3, 0], *others[:, 0]]).all()


def test_a_column_that_never_changes_is_divided_by_nothing() -> None:
    found = Columns.learnt(rows(price=["5", "5"]), ["price"])
    assert found.arrays(rows(price=["5", "7"]))["numbers"].tolist() == [[0], [2]]


def test_names_have_numbers_from_1_and_a_name_that_train_did_not_have_is_0() -> None:
    found = Columns.learnt(rows(shop=["b", "a", "b"], town=["x", None, "y"]), ["shop", "town"])
    names = found.arrays(rows(shop=["a", "b", "c", None], town=["y", "z", None, "x"]))["names"]
    assert names.dtype == np.int64 and names.tolist() == [[1, 2], [2, 0], [0, 0], [0, 1]]


def test_only_the_most_frequent_names_have_a_number_of_their_own() -> None:
    shops = [name for count, name in enumerate("abcdef", start=1) for _ in range(count)]
    assert Columns.learnt(rows(shop=shops), ["shop"], most_names=3).names == {"shop": ["d", "e", "f"]}
    assert Columns.learnt(rows(shop=["b", "a"]), ["shop"], most_names=1).names == {"shop": ["a"]}


def test_without_rows_or_columns_there_are_arrays_still() -> None:
    found = Columns.learnt(rows(price=["1", "2"]), ["price"])
    assert found.arrays([])["numbers"].shape == (0, 1) and found.arrays([])["names"].shape == (0, 0)
    empty = Columns.learnt([], [])
    assert empty.arrays(rows(price=["1", "2"]))["numbers"].shape == (2, 0)


@given(st.lists(st.one_of(st.none(), st.text(max_size=4), st.floats().map(str), st.integers().map(str)), min_size=1))
def test_whatever_stands_in_a_column_its_arrays_are_of_one_shape_and_never_infinite(values: list[str | None]) -> None:
    given = rows(column=values)
    found = Columns.learnt(given, ["column"])
    arrays = found.arrays(given)
    assert arrays["numbers"].shape[1] + arrays["names"].shape[1] == 1 == len(found.numbers) + len(found.names)
    assert not np.isinf(arrays["numbers"]).any()
    json.dumps([found.numbers, found.names])


@pytest.mark.parametrize(("cell", "number"), [("1", 1), (" 2.5 ", 2.5), ("1e3", 1000), (3, 3), (True, 1)])
def test_what_is_a_number(cell: Any, number: float) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize("cell", ["", "a", "1,5", None, [], "inf", "-Infinity", "nan", "1e999", float("inf")])
def test_what_is_no_number(cell: Any) -> None:
    assert math.isnan(number_of(cell))


RED, BLUE = (store.keep(square(colour), None) for colour in ("red", "blue"))
ITEMS = [
    compose({"text": "good a", "image": RED, "tabular": {"price": "1", "shop": "a"}}),
    compose({"text": "bad a b c", "tabular": {"price": "3", "shop": "b"}}),
    compose({"image": BLUE}),
]


@pytest.fixture(scope="module")
def source(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model of text, images and values."""
    folder = tmp_path_factory.mktemp("fused")
    config = parse_config(
        {
            "modality": "text+image+tabular",
            "data": {"source": "x.csv", "columns": {"image": "image", "tabular": ["price", "shop"]}},
            "model": {"source": str(tiny_model)},
            "fusion": {"image": str(write_tiny_vit(folder / "image")), "width": 16},
        }
    )  # fmt: skip
    return fused_source(config, Examples(["0", "1", "2"], ITEMS, ["x"] * 3), folder=folder, base=None)


@pytest.fixture
def tokenizer(source: Path) -> ItemTokenizer:
    return open_item_tokenizer(source, 12)


def test_a_batch_has_what_each_row_has_in_the_order_of_the_rows(tokenizer: ItemTokenizer) -> None:
    batch = tokenizer.encode(ITEMS).batch([2, 1, 0])
    assert batch["present"].tolist() == [[0, 1, 0], [1, 0, 1], [1, 1, 1]]
    assert batch["pixel_values"].shape == (2, 3, 16, 16) and batch["pixel_values"].dtype == np.float32
    blue, red = batch["pixel_values"].mean(axis=(2, 3))
    assert blue[2] > blue[0] and red[0] > red[2]
    assert np.isnan(batch["numbers"][0, 0]) and batch["numbers"][1:, 0].tolist() == [1, -1]
    assert batch["names"].tolist() == [[0], [2], [1]]
    assert batch["attention_mask"].sum(axis=1).tolist() == [2, 6, 4]
    assert tokenizer.encode(ITEMS[1:2]).batch([0]).keys() >= {"present", "numbers", "names"}
    assert "pixel_values" not in tokenizer.encode(ITEMS[1:2]).batch([0])


def test_files_are_read_when_a_batch_is_made_and_not_before(
    tokenizer: ItemTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    fetch = store.fetch
    monkeypatch.setattr(store, "fetch", lambda reference, stores: fetched.append(reference) or fetch(reference, stores))
    tokens = tokenizer.encode(ITEMS)
    assert not fetched and len(tokens.sizes) == 3
    tokens.batch([2])
    assert fetched == [BLUE]


def test_a_row_is_as_large_as_its_text_and_what_its_encoders_make_of_the_rest(tokenizer: ItemTokenizer) -> None:
    tokens = tokenizer.encode([*ITEMS, compose({})])
    assert tokens.lengths.tolist() == [4, 6, 2, 2]
    assert tokens.sizes.tolist() == [4 + 5 + 1, 6 + 1, 2 + 5, 2]  # a ViT of 2 by 2 patches says 5, columns 1
    assert [len(batch) for batch in inference_batches(tokens.sizes, max_tokens=12)] != [4]


def test_rows_are_taken_and_joined_with_what_is_beside_them(tokenizer: ItemTokenizer) -> None:
    tokens = tokenizer.encode(ITEMS)
    whole = tokens.batch([0, 2])
    taken = tokens.select([2, 0]).batch([1, 0])
    joined = tokens.select([0]).followed_by(tokens.select([1, 2])).batch([0, 2])
    for other in (taken, joined):
        assert whole.keys() == other.keys()
        assert all(np.array_equal(whole[name], other[name], equal_nan=True) for name in whole)


def test_a_plain_text_is_an_item_of_its_text(tokenizer: ItemTokenizer) -> None:
    one, other = (tokenizer.encode([item]).batch([0]) for item in ("good a", compose({"text": "good a"})))
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
    assert one["present"].tolist() == [[1, 0, 0]]


def test_an_item_of_other_things_alone_is_refused_by_its_number(tokenizer: ItemTokenizer) -> None:
    sound = store.keep(wav(tone(440)), None)
    with pytest.raises(DataError, match="Item 2 has nothing that the model reads: text, image, tabular"):
        tokenizer.encode([ITEMS[0], compose({"audio": sound})])
    beside = tokenizer.encode([compose({"audio": sound, "text": "a"}), compose({})]).batch([0, 1])
    assert beside["present"].tolist() == [[1, 0, 0], [0, 0, 0]] and "sound" not in beside


def test_texts_of_a_pair_are_read_apart_and_stay_together(source: Path) -> None:
    tokens = open_item_tokenizer(source, 12, apart=True).encode([("good", ITEMS[2]), ("bad", ITEMS[0])])
    assert tokens.bound and tokens.owners is not None and tokens.owners.tolist() == [0, 0, 1, 1]
    assert tokens.batch([0, 1, 2, 3])["present"].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]]


def test_long_texts_of_items_are_cut_and_that_is_told(tokenizer: ItemTokenizer) -> None:
    tokens = tokenizer.encode([compose({"text": "a " * 40, "image": RED}), ITEMS[0]])
    assert tokens.truncated.tolist() == [True, False] and tokens.lengths[0] == 12


def test_what_determines_the_arrays_determines_the_identity(source: Path, tmp_path: Path) -> None:
    def identity(**more: Any) -> str:
        return open_item_tokenizer(folder, 12, **more).identity

    folder = shutil.copytree(source, tmp_path / "copy")
    before = identity()
    assert before == open_item_tokenizer(source, 12).identity != identity(apart=True)
    for path in sorted((folder / "modalities").rglob("*.json")):
        text = path.read_text()
        path.write_text(text + " ")
        assert identity() != before
        path.write_text(text)
    assert identity() == before


def test_a_tokenizer_can_be_copied_and_sent_to_another_process(tokenizer: ItemTokenizer) -> None:
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert other.identity == tokenizer.identity
        assert np.array_equal(
            other.encode(ITEMS).batch([0])["pixel_values"], tokenizer.encode(ITEMS).batch([0])["pixel_values"]
        )


def test_files_are_looked_for_in_the_workspace_that_the_model_lies_in(source: Path, tmp_path: Path) -> None:
    place = Workspace(tmp_path)
    digest = store.keep(square("blue", 7), place.media)
    inside = open_item_tokenizer(shutil.copytree(source, place.releases / "small-1"), 12)
    assert inside.encode([compose({"image": digest})]).batch([0])["pixel_values"].shape == (1, 3, 16, 16)
    with pytest.raises(DataError, match="not in the workspace's media"):
        open_item_tokenizer(source, 12).encode([compose({"image": digest})]).batch([0])


def test_a_folder_tells_whether_its_model_reads_items(source: Path, tiny_model: Path) -> None:
    assert reads_items(source) and not reads_items(tiny_model)
    assert isinstance(open_tokenizer(source, 12), ItemTokenizer) and open_tokenizer(source, 12).reads_files
    assert open_tokenizer(source, 12).modalities == ("text", "image", "tabular")
    assert not hasattr(open_tokenizer(tiny_model, 12), "modalities")
    with pytest.raises(Exception, match="reads no template"):
        open_tokenizer(source, 12, "{text} {mask}")


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"modalities": ["text"]}', '{"numbers": 5}'])
def test_damaged_settings_are_one_error(source: Path, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(source, tmp_path / "copy")
    (folder / "modalities" / "modalities.json").write_text(damage)
    with pytest.raises(ModelError, match=r"modalities\.json cannot be read"):
        open_item_tokenizer(folder, 12)


def test_a_missing_processor_is_named_when_an_image_comes(source: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(source, tmp_path / "copy")
    shutil.rmtree(folder / "modalities" / "image")
    tokenizer = open_item_tokenizer(folder, 12)
    assert tokenizer.encode(["a"]).batch([0])["present"].tolist() == [[1, 0, 0]]
    with pytest.raises(ModelError, match="does not say how its model is given images or sound"):
        tokenizer.encode(ITEMS[:1]).batch([0])


def test_of_one_modality_no_file_of_another_is_opened(
    tokenizer: ItemTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: Any = tokenizer.encode(ITEMS).beside
    whole, image = beside.batch([0, 1, 2]), beside.only("image").batch([0, 1, 2])
    assert np.array_equal(image["pixel_values"], whole["pixel_values"])
    monkeypatch.setattr(store, "fetch", None)
    found = beside.only("text").batch([0, 1, 2])
    kinds = tokenizer.modalities.index("text"), tokenizer.modalities.index("image")
    assert found["present"][:, kinds[0]].tolist() == whole["present"][:, kinds[0]].tolist()
    assert not found["present"][:, kinds[1]].any() and "pixel_values" not in found
