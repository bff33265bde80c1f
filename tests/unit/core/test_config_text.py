from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

import tuneloop.core
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.config_text import commented_yaml
from tuneloop.core.i18n import use_language
from tuneloop.methods import METHODS
from tuneloop.tasks import TASKS

CONFIG = parse_config({"name": "mood", "data": {"source": "评论.csv", "columns": {"text": "a: b"}}, "seed": 3})
OPTIONS = {"task": TASKS.get("classification").Options, "method": METHODS.get("full").Options}
CHINESE = Path(tuneloop.core.__file__).parent / "locale" / "zh"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_written_file_is_read_back_as_the_same_configuration(language: str) -> None:
    use_language(language)
    try:
        text = commented_yaml(CONFIG, options=OPTIONS)
    finally:
        use_language(None)
    back = parse_config(yaml.safe_load(text))
    shown = {"dropout": None, "class_weights": "none", "label_smoothing": 0.0, "probabilities": ""}
    assert back.task.options == shown
    assert back.model_dump(exclude={"task", "method"}) == CONFIG.model_dump(exclude={"task", "method"})
    assert all("#" in line for line in text.splitlines() if line)


def test_every_setting_is_described_in_both_languages() -> None:
    catalogue = {}
    for path in CHINESE.glob("*.json"):
        catalogue |= json.loads(path.read_text(encoding="utf-8"))
    models = [RunConfig, *(kind.Options for _, kind in [*TASKS.items(), *METHODS.items()])]
    found = {sentence for model in models for sentence in sentences(model)}
    assert len(found) > 80
    assert sorted(found - catalogue.keys()) == []


def sentences(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield (kind.__doc__ or "").strip().split("\n")[0]
            yield from sentences(kind)
        else:
            assert field.description, f"{model.__name__}.{name} has no description"
            yield field.description
