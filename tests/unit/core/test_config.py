"""Every mistake in tuneloop.yaml is named with its line and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.config import DataConfig, ModelConfig, RunConfig, TaskConfig, load_config, parse_config
from tuneloop.core.errors import ConfigError

GOOD = "data:\n  source: reviews.csv\n"

MISTAKES = {
    "unknown key": (GOOD + "training:\n  learning_rte: 0.1\n", "line 4", "learning_rate"),
    "wrong type": (GOOD + "training:\n  epochs: many\n", "line 4", "number"),
    "impossible value": (GOOD + "training:\n  epochs: -1\n", "line 4", "greater than 0"),
    "missing source": ("data: {}\n", "data.source", "Add it"),
    "not YAML": ("data: [\n", "not valid YAML", "indentation"),
    "empty": ("", "no settings", "tuneloop init"),
    "nothing left to train on": (GOOD + "  split: {dev: 0.5, test: 0.5}\n", "nothing to train on", ""),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_error_with_place_and_remedy(tmp_path: Path, case: str) -> None:
    text, place, remedy = MISTAKES[case]
    path = tmp_path / "tuneloop.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert place in str(caught.value)
    assert remedy in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tuneloop init"):
        load_config(tmp_path / "tuneloop.yaml")


def test_an_override_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tuneloop.yaml"
    path.write_text(GOOD + "method: full\n")
    config = load_config(path, overrides={"training.epochs": 1, "method.frozen_layers": 2})
    assert config.training.epochs == 1
    assert config.method.options == {"frozen_layers": 2}


def test_another_method_comes_without_the_options_of_the_one_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tuneloop.yaml"
    path.write_text(GOOD + "method:\n  type: full\n  frozen_layers: 2\n")
    config = load_config(path, overrides={"method.rank": 4, "method.type": "lora"})
    assert (config.method.type, config.method.options) == ("lora", {"rank": 4})
    assert load_config(path, overrides={"method.type": "full"}).method.options == {"frozen_layers": 2}


def test_settings_given_as_objects_have_the_same_defaults() -> None:
    data, task = DataConfig(source="x.csv"), TaskConfig(type="generation")
    assert RunConfig(data=data, task=task).model.max_tokens == 512
    assert RunConfig(data=data, task="generation", model=ModelConfig(source="m")).model.max_tokens == 512
    assert RunConfig(data=data, task=task, model=ModelConfig(source="m", max_tokens=128)).model.max_tokens == 128
    assert RunConfig(data=data, task=TaskConfig(type="regression")).model.max_tokens == 128


def test_conversations_have_more_room_by_default_and_an_old_run_keeps_its_own() -> None:
    data = {"source": "x.csv"}
    assert parse_config({"data": data}).model.max_tokens == 128
    for task in ("generation", {"type": "generation"}):
        config = parse_config({"data": data, "task": task})
        assert config.model.max_tokens == 512
        assert parse_config({"data": data, "task": task, "model": {"max_tokens": 64}}).model.max_tokens == 64
    old = config.model_copy(update={"model": config.model.model_copy(update={"max_tokens": 128})})
    again = parse_config(old.model_dump(mode="json"))
    assert again.model.max_tokens == 128
    assert again.fingerprint() == old.fingerprint()
