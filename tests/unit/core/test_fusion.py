"""What goes with which modality is settled before anything is read; a configuration of texts is as it always was."""

from __future__ import annotations

from typing import Any

import pytest

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.fusion import MODALITIES, modalities_of
from tuneloop.core.hashing import hash_json
from tuneloop.data.snapshot import settings_of

COLUMNS = {"image": {"image": "picture"}, "audio": {"audio": "sound"}, "tabular": {"tabular": ["price"]}, "text": {}}


def config(modality: str, columns: dict[str, Any] | None = None, **more: Any) -> RunConfig:
    """A configuration in which every modality has its column and encoder, if nothing else is said."""
    if columns is None:
        columns = {key: value for name in modality.split("+") for key, value in COLUMNS[name].items()}
    data = {"source": "x.csv", "columns": columns} | more.pop("data", {})
    fusion = {"image": "scratch", "audio": "scratch"} | more.pop("fusion", {})
    return parse_config({"modality": modality, "data": data, "fusion": fusion} | more)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("modality", ["text", "image", "audio", "tabular", "text+image", "tabular+audio+image+text"])
def test_every_modality_goes_with_every_judging_task(modality: str, task: str) -> None:
    found = config(modality, task=task)
    assert set(found.modalities) == set(modality.split("+"))
    assert found.modalities == tuple(name for name in MODALITIES if name in found.modalities)


@pytest.mark.parametrize("wrong", ["", "text+", "video", "text+image+text", "Text", "text,image", "text image"])
def test_a_modality_that_is_none_or_stands_there_twice_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="modality is one of text, image, audio, tabular, or several joined by"):
        config(wrong, {})
    with pytest.raises(ValueError, match="joined by"):
        modalities_of(wrong)


def test_spaces_around_a_plus_mean_nothing() -> None:
    assert modalities_of(" image + text ") == ("text", "image")


@pytest.mark.parametrize("name", ["image", "audio", "tabular"])
def test_a_column_without_its_modality_and_a_modality_without_its_column_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"modality is text: data\.columns\.{name} belongs to {name}"):
        config("text", COLUMNS[name])
    other = "image" if name != "image" else "tabular"
    with pytest.raises(ConfigError, match=rf"data\.columns\.{name} belongs to {name}"):
        config("+".join(("text", name, other)), COLUMNS[other])


def test_rows_that_are_items_already_need_no_columns() -> None:
    assert config("text+tabular", {}).modalities == ("text", "tabular")


@pytest.mark.parametrize("name", ["image", "audio"])
def test_a_modality_without_an_encoder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"modality {name} needs an encoder: set fusion\.{name}"):
        config(f"text+{name}", fusion={name: ""})


@pytest.mark.parametrize("task", ["pair", "tagging", "qa", "multiple_choice", "similarity", "generation"])
def test_a_task_that_reads_text_alone_is_refused(task: str) -> None:
    with pytest.raises(ConfigError, match=rf"task {task} reads text alone; with modality text\+tabular take one of"):
        config("text+tabular", task=task)
    assert config("text", task=task).task.type == task


def test_retrieval_finds_another_modality_by_a_text() -> None:
    assert config("text+image", task="retrieval").modalities == ("text", "image")
    with pytest.raises(ConfigError, match="finds the other modalities of a row by its text"):
        config("image", task="retrieval")
    with pytest.raises(ConfigError, match="no pair"):
        config("text+image", {"image": "picture", "pair": "other"}, task="retrieval")


@pytest.mark.parametrize(
    "more",
    [
        {"data": {"augment": {"perturbations": ["typos"]}}},
        {"knowledge": {"context": ["facts"]}},
        {"update": {"gate": {"perturbations": ["typos"]}}},
    ],
)
def test_what_is_written_into_texts_is_refused_where_rows_are_more(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"perturbations and knowledge\.context are for texts alone"):
        config("text+image", **{name: dict(value) for name, value in more.items()})


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fusion\.width is a multiple of fusion\.heads"):
        config("text+image", fusion={"width": 30, "heads": 4})


def test_rows_that_are_more_than_texts_are_duplicates_only_if_they_are_equal() -> None:
    assert config("text").data.clean.duplicates == "near"
    assert config("text+image").data.clean.duplicates == "exact"
    assert config("text+image", data={"clean": {"unicode": "NFKC"}}).data.clean.duplicates == "exact"
    assert config("text+image", data={"clean": {"duplicates": "near"}}).data.clean.duplicates == "near"


def test_without_texts_no_column_has_them() -> None:
    assert config("image", {"image": "picture", "text": "review"}).data.columns.text == ""
    assert config("text+image", {"image": "picture", "text": "review"}).data.columns.text == "review"


def test_a_configuration_that_was_written_down_is_read_as_the_same() -> None:
    found = config("tabular+image", task="regression")
    assert parse_config(found.model_dump(mode="json")) == found


def test_the_fingerprint_and_the_snapshot_of_texts_know_nothing_of_other_modalities() -> None:
    plain = config("text", {"text": "review"})
    names = {"text", "label", "pair", "id", "group", "time"}
    assert plain.fingerprint()["data"]["columns"].keys() == settings_of(plain)["columns"].keys() == names
    assert plain.fingerprint().keys() == {"seed", "data", "task", "model", "method", "training"}
    other = config("text", {"text": "review"}, fusion={"width": 64, "type": "cross_attention"})
    assert hash_json(other.fingerprint()) == hash_json(plain.fingerprint())
    assert hash_json(settings_of(other)) == hash_json(settings_of(plain))


def test_the_fingerprint_of_other_modalities_holds_their_columns_and_their_fusion() -> None:
    plain = config("text+image+tabular")
    columns = plain.fingerprint()["data"]["columns"]
    assert columns["image"] == "picture" and columns["tabular"] == ["price"] and "audio" not in columns
    assert settings_of(plain)["columns"] == columns
    prints = {
        hash_json(each.fingerprint())
        for each in (plain, config("text+image+tabular", fusion={"width": 64}), config("text+image"))
    }
    assert len(prints) == 3
