"""Training from kept states ends with the weights of training without them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.models.frozen import FrozenPrefix
from tuneloop.models.states import States
from tuneloop.training.plan import plan
from tuneloop.training.run import tune

spec = importlib.util.spec_from_file_location("tiny", Path(__file__).with_name("tiny.py"))
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)

WITHIN = {"fp32": 1e-4, "bf16": 5e-3}
"""How far two runs may end apart; one with the states of other texts ends 0.3 away."""


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize("precision", WITHIN)
@pytest.mark.parametrize(
    "settings",
    [
        {"frozen": 1},
        {"frozen": 2, "max_batch_tokens": 40},
        {"frozen": 3},
        {"frozen": 2, "method": "contrastive"},
        {"frozen": 2, "r_drop": 1.0, "supcon": 0.2},
    ],
)
def test_the_weights_are_the_same_with_and_without_kept_states(
    tmp_path: Path, precision: str, settings: dict[str, object]
) -> None:
    settings = settings | {"precision": precision, "layers": 3}
    kept = tiny.trained(tmp_path / "kept", keep=True, **settings)
    computed = tiny.trained(tmp_path / "computed", **settings)
    assert distance(kept, computed) < WITHIN[precision]
    assert list((tmp_path / "kept" / "states").iterdir())


@pytest.mark.parametrize("wrong", ["row", "layer"])
def test_that_comparison_would_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    settings = {"frozen": 2, "layers": 3}
    computed = tiny.trained(tmp_path / "computed", **settings)
    if wrong == "row":
        read = States.read
        monkeypatch.setattr(States, "read", lambda self, rows, width: read(self, np.roll(rows, 1), width))
    else:
        compute = FrozenPrefix._compute

        def one_layer_less(self: FrozenPrefix, *given: object) -> object:
            layers = self._layers
            self._layers = layers[:-1]
            yield from compute(self, *given)
            self._layers = layers

        monkeypatch.setattr(FrozenPrefix, "_compute", one_layer_less)
    assert distance(tiny.trained(tmp_path / "kept", keep=True, **settings), computed) > 10 * WITHIN["fp32"]


def config(source: Path, **training: object) -> RunConfig:
    plain = {"epochs": 2, "batch_size": 8, "precision": "fp32", "report_to": []} | training
    model = {"source": str(source), "max_tokens": 16, "pooling": "mean"}
    method = {"type": "full", "frozen_layers": 1}
    return parse_config(
        {"name": "mood", "data": {"source": "x.csv"}, "method": method, "training": plain, "model": model}
    )


@pytest.mark.parametrize(
    ("training", "files", "says"),
    [
        ({}, 1, "computed once"),
        ({"frozen_cache_gb": 1e-6}, 0, "more than training.frozen_cache_gb"),
        ({"frozen_cache_gb": 0}, 0, "more than training.frozen_cache_gb"),
        ({"epochs": 1}, 0, None),
    ],
)
def test_states_are_kept_where_they_are_read_again_and_fit_and_the_plan_says_so(
    tiny_model: Path, made_up, tmp_path: Path, training: dict[str, float], files: int, says: str | None
) -> None:
    settings, data, place = config(tiny_model, **training), made_up("classification"), Workspace(tmp_path)
    planned = plan(settings, snapshot=data)
    assert planned.keeps_frozen_states == bool(files)
    assert (says or "") in planned.rows()[-1][1] and len(planned.rows()) == 8 + bool(says)
    tune(settings, snapshot=data, workspace=place, quiet=True)
    found = list((place.cache / "states").glob("*"))
    assert [path.stat().st_size for path in found] == [planned.frozen_states_bytes] * files
