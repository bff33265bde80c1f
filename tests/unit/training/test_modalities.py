"""Training on rows of several modalities: what is frozen stays and is read once, what makes no sense is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.fused import ROWS, Encoders
from tuneloop.core.config import RunConfig
from tuneloop.core.errors import ConfigError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.models.fused import Encoders as Encoding
from tuneloop.training.choice import settle
from tuneloop.training.prepare import prepare
from tuneloop.training.run import Run, tune


@pytest.fixture(scope="module")
def encoders(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    return Encoders.written(tiny_model, tmp_path_factory.mktemp("encoders"))


class Snapshot:
    """The same few rows in each split."""

    hash, labels = "abc", ("a", "b")

    def split(self, name: str) -> Examples:
        return ROWS


def tuned(config: RunConfig, folder: Path, **training: Any) -> Run:
    config = config.model_copy(update={"training": config.training.model_copy(update=training)})
    return tune(config, snapshot=Snapshot(), workspace=Workspace(folder), quiet=True)


@pytest.mark.parametrize("frozen", [("text", "audio"), ()])
def test_encoders_that_are_frozen_do_not_move_and_all_others_do(
    encoders: Encoders, tmp_path: Path, frozen: tuple[str, ...]
) -> None:
    config = encoders.config("late", frozen=frozen)
    run = tuned(config, tmp_path)
    before = load_file(encoders.source(config) / "model.safetensors")
    after = load_file(run.model_path / "model.safetensors")
    for name in ("text", "image", "audio"):
        moved = [
            key for key in before if key.startswith(f"encoders.{name}.") and not torch.equal(before[key], after[key])
        ]
        assert bool(moved) == (name not in frozen), name


def test_what_frozen_encoders_say_of_the_training_rows_is_computed_once(
    encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    forward = Encoding.forward

    def counted(self: Any, kind: str, **given: torch.Tensor) -> Any:
        asked.extend([kind] * len(next(iter(given.values()))))
        return forward(self, kind, **given)

    monkeypatch.setattr(Encoding, "forward", counted)
    config = encoders.config("cross_attention", ("text", "image", "tabular"), frozen=("text", "image"))

    def weights(**training: Any) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
        asked.clear()
        run = tuned(config, tmp_path, epochs=2, **training)
        return load_file(run.model_path / "model.safetensors"), {name: asked.count(name) for name in ("text", "image")}

    first, once = weights()
    again, never = weights()
    other, always = weights(frozen_cache_gb=0.0)
    rows = {"text": 3, "image": 2}  # of the four rows have one
    for name, count in rows.items():
        assert always[name] - never[name] >= 2 * count and once[name] - never[name] == count
    assert all(torch.equal(first[name], again[name]) for name in first)
    body = [name for name in first if not name.startswith("classifier.")]  # which calibration scales
    assert all(np.allclose(first[name], other[name], atol=0.01) for name in body)


def test_auto_does_not_take_a_method_of_texts(encoders: Encoders) -> None:
    config = encoders.config("late")
    auto = config.model_copy(update={"method": config.method.model_copy(update={"type": "auto"})})
    chosen, why = settle(auto, Snapshot())  # four labels: of texts contrastive learning would be taken
    assert chosen.method.type == "full" and "4 texts" in why
    alone = encoders.config("late", ("audio",), audio="scratch")
    chosen, _ = settle(alone.model_copy(update={"method": auto.method}), Snapshot())
    assert chosen.method.type == "full"


def test_a_model_of_other_modalities_is_neither_gone_on_from_nor_a_teacher(encoders: Encoders, tmp_path: Path) -> None:
    old = tuned(encoders.config("late", ("text", "tabular")), tmp_path)
    config = encoders.config("late", ("text", "image", "tabular"))
    going_on = config.model_copy(update={"continual": config.continual.model_copy(update={"model": old.id})})
    with pytest.raises(ConfigError, match=r"modality is text\+image\+tabular, but the model reads text\+tabular"):
        prepare(going_on, Snapshot(), workspace=Workspace(tmp_path))
    learning = config.model_copy(update={"method": type(config.method)(type="distill", teacher=old.id)})
    with pytest.raises(ConfigError, match=r"reads text\+tabular, and this model reads text\+image\+tabular"):
        tuned(learning, tmp_path)
    same = encoders.config("late", ("text", "tabular"))
    same = same.model_copy(
        update={"continual": same.continual.model_copy(update={"model": old.id, "lwf": 1.0, "replay": 0.0})}
    )
    assert tuned(same, tmp_path).status == "finished"


def test_what_would_move_words_alone_is_refused(encoders: Encoders, tmp_path: Path) -> None:
    with pytest.raises(TuneloopError, match=r"training\.fgm moves the words"):
        tuned(encoders.config("late", ("text", "image")), tmp_path, fgm=0.5)


def test_rows_that_are_texts_are_refused(encoders: Encoders, tmp_path: Path) -> None:
    class Texts(Snapshot):
        def split(self, name: str) -> Examples:
            return Examples(["0", "1"], ["a", "b"], ["a", "b"])

    with pytest.raises(ConfigError, match=r"modality is text\+image, but the rows are texts"):
        prepare(encoders.config("late", ("text", "image")), Texts(), workspace=Workspace(tmp_path))
