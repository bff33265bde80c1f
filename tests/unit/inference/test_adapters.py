"""Texts of many adapters in one batch have the answers of each adapter's own model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.inference.adapters import ManyAdapters
from tuneloop.inference.opening import read_settings
from tuneloop.inference.predictor import open_predictor
from tuneloop.training.run import tune

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("classification", {}),
    "thinner": ("classification", {"layers": "attention", "rank": 2, "alpha": 32.0}),
    "number": ("regression", {}),
    "pairs": ("pair", {}),
}


@pytest.fixture(scope="module")
def folders(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, made_up: Any) -> dict[str, Path]:
    """Model folders with adapters of several kinds and tasks, trained for a moment."""
    workspace, found = Workspace(tmp_path_factory.mktemp("many")), {}
    for seed, (name, (task, options)) in enumerate(WAYS.items()):
        config = {
            "seed": seed, "data": {"source": "x.csv"}, "task": task,
            "method": {"type": "lora", "keep": "apart", **options},
            "model": {"source": str(tiny_model), "max_tokens": 16},
            "training": {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
        }  # fmt: skip
        found[name] = tune(parse_config(config), snapshot=made_up(task), workspace=workspace, quiet=True).model_path
    return found


@pytest.fixture(scope="module")
def many(folders: dict[str, Path]) -> ManyAdapters:
    return ManyAdapters(folders)


def asked_of(name: str, made_up: Any) -> list[Any]:
    return made_up(WAYS[name][0]).split("test").inputs[:20]


def test_answers_in_mixed_batches_are_those_of_each_adapter_alone(
    folders: dict[str, Path], many: ManyAdapters, made_up: Any
) -> None:
    asked = [(name, item) for name in folders for item in asked_of(name, made_up)]
    order = np.random.default_rng(0).permutation(len(asked))
    found = many.predict([asked[row] for row in order])
    for name, folder in folders.items():
        alone = open_predictor(folder)
        expected = alone.predict(asked_of(name, made_up))
        own = dict(zip(order.tolist(), found, strict=True))
        mixed = [own[row] for row, (asked_name, _) in enumerate(asked) if asked_name == name]
        for one, other in zip(expected, mixed, strict=True):
            assert one.truncated == other.truncated and one.probabilities.keys() == other.probabilities.keys()
            assert other.probabilities == pytest.approx(one.probabilities, abs=1e-5)
            assert other.label == (pytest.approx(one.label, rel=1e-4) if name == "number" else one.label)
        alone.close()


def test_an_adapter_changes_its_own_answers_alone(folders: dict[str, Path], many: ManyAdapters, made_up: Any) -> None:
    texts = asked_of("plain", made_up)
    alone = many.scores("plain", texts)
    assert np.abs(alone - many.scores("thinner", texts)).max() > 0.01
    beside = many.predict([pair for text in texts for pair in (("plain", text), ("thinner", text))])[::2]
    assert [list(each.probabilities.values()) for each in beside] == [pytest.approx(row, abs=1e-5) for row in alone]


def test_the_base_is_held_once(folders: dict[str, Path], many: ManyAdapters) -> None:
    parameters = sum(parameter.numel() for parameter in many.model.parameters())
    pretrained = sum(value.numel() for value in load_file(folders["plain"] / "base" / "model.safetensors").values())
    assert parameters <= pretrained


def test_nothing_asked_is_nothing_answered(many: ManyAdapters) -> None:
    assert many.predict([]) == [] and many.scores("plain", []).shape == (0, 2)


def test_an_unknown_adapter_is_named(many: ManyAdapters) -> None:
    with pytest.raises(ConfigError, match="no adapter called 'other'"):
        many.predict([("other", "a")])


def changed(folder: Path, to: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a model folder with other settings."""
    shutil.copytree(folder, to)
    settings = read_settings(folder)
    change(settings)
    write_json(to / "tuneloop.json", settings)
    return to


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings.pop("apart"),
        lambda settings: settings["method"].update(type="ia3"),
        lambda settings: settings["method"].update(dora=True),
        lambda settings: settings["method"].update(base_bits=4),
    ],
    ids=["merged", "another method", "DoRA", "few bits"],
)
def test_what_is_no_plain_lora_is_refused(folders: dict[str, Path], tmp_path: Path, change: Any) -> None:
    other = changed(folders["plain"], tmp_path / "other", change)
    with pytest.raises(ConfigError, match="no plain LoRA"):
        ManyAdapters(folders | {"other": other})


def test_an_answer_that_needs_more_than_logits_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = changed(folders["plain"], tmp_path / "other", lambda _: None)
    (other / "knowledge").mkdir()
    with pytest.raises(ConfigError, match="needs more"):
        ManyAdapters({"other": other})


def test_another_base_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    other = changed(folders["plain"], tmp_path / "other", lambda _: None)
    weights = load_file(other / "base" / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: weights[name] + 1}, other / "base" / "model.safetensors")
    with pytest.raises(ModelError, match="another pretrained model"):
        ManyAdapters(folders | {"other": other})


def test_no_adapter_is_refused() -> None:
    with pytest.raises(ConfigError, match="no adapter"):
        ManyAdapters({})


def test_a_damaged_adapter_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    other = changed(folders["plain"], tmp_path / "other", lambda _: None)
    (other / "adapter.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"adapter\.safetensors cannot be read"):
        ManyAdapters(folders | {"other": other})
