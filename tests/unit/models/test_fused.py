"""Encoders of several kinds as one model: what a row lacks is neither read nor counted."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fused import NAMES, OTHER, ROWS, WHOLE, Encoders, only
from tuneloop.core.config import RunConfig, TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.data.examples import Examples
from tuneloop.media import store
from tuneloop.media.items import compose, parse, without
from tuneloop.models.fused import FusedForSequenceClassification, hidden
from tuneloop.models.fusing import fused_source
from tuneloop.models.load import load_classifier, load_trained
from tuneloop.tasks import create_task

KINDS = ["late", "cross_attention"]
MIXED = [WHOLE, only(OTHER, "text"), only(OTHER, "image"), only(WHOLE, "audio", "tabular"), compose({}), OTHER]


@pytest.fixture(scope="module")
def encoders(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    return Encoders.written(tiny_model, tmp_path_factory.mktemp("encoders"))


def logits(encoders: Encoders, config: RunConfig, items: Sequence[str], model: Any = None) -> np.ndarray:
    return encoders.answers(config, items, model)


def test_late_fusion_adds_up_what_each_modality_says_alone(encoders: Encoders) -> None:
    config = encoders.config("late")
    nothing = logits(encoders, config, [only(WHOLE)])[0]  # the bias
    alone = {name: logits(encoders, config, [only(WHOLE, name)])[0] for name in NAMES}
    assert len({tuple(np.round(each, 3)) for each in alone.values()}) == 4  # they do not say the same
    for names in (NAMES, ("text", "image"), ("image", "audio", "tabular"), ("audio",)):
        total = nothing + np.sum([alone[name] - nothing for name in names], axis=0)
        assert np.allclose(logits(encoders, config, [only(WHOLE, *names)])[0], total, atol=1e-5), names


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_to_a_row_does_not_depend_on_what_its_neighbours_have(encoders: Encoders, kind: str) -> None:
    config = encoders.config(kind)
    together = logits(encoders, config, MIXED)
    apart = np.concatenate([logits(encoders, config, [item]) for item in MIXED])
    assert np.allclose(together, apart, atol=1e-5)
    assert len({tuple(np.round(row, 4)) for row in together}) == len(MIXED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", ["text", "image", "audio"])
def test_neither_the_file_nor_the_encoder_of_a_missing_modality_is_asked(
    encoders: Encoders, kind: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = encoders.config(kind)
    items, model = [without(WHOLE, {missing}), without(OTHER, {missing, "tabular"})], encoders.model(config)
    expected, fetched = logits(encoders, config, items), []
    fetch = store.fetch
    monkeypatch.setattr(store, "fetch", lambda reference, stores: fetched.append(reference) or fetch(reference, stores))
    monkeypatch.setattr(getattr(model.encoders, missing), "forward", None)
    assert np.array_equal(logits(encoders, config, items, model), expected)
    wanted = {parse(item)[name] for item in items for name in {"image", "audio"} - {missing}}
    assert set(fetched) == wanted
    with pytest.raises(TypeError):  # it is asked where it is there
        logits(encoders, config, [WHOLE], model)


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_is_given_the_rows_that_have_its_modality_alone(
    encoders: Encoders, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, seen = encoders.config(kind), Counter[str]()
    model = encoders.model(config)
    forward = model.encoders.forward

    def counted(name: str, **given: torch.Tensor) -> Any:
        seen[name] += len(next(iter(given.values())))
        return forward(name, **given)

    monkeypatch.setattr(model.encoders, "forward", counted)
    logits(encoders, config, MIXED, model)
    assert seen == {"text": 3, "image": 3, "audio": 3}


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_place_of_an_absent_modality_counts_for_nothing(encoders: Encoders, kind: str) -> None:
    model = encoders.model(encoders.config(kind))
    given = {
        "input_ids": torch.tensor([[2, 4, 3], [2, 5, 3]]), "attention_mask": torch.ones(2, 3, dtype=torch.long),
        "present": torch.tensor([[0, 1, 0, 0], [1, 0, 0, 0]]), "pixel_values": torch.ones(1, 3, 16, 16),
        "numbers": torch.ones(2, 1), "names": torch.ones(2, 1, dtype=torch.long),
    }  # fmt: skip
    changes = {"input_ids": torch.tensor([[4, 5, 6], [2, 5, 3]]), "numbers": torch.full((2, 1), 9.0)}
    changes |= {"names": torch.zeros(2, 1, dtype=torch.long)}
    with torch.inference_mode():
        before = model(**given).logits
        assert torch.equal(model(**given | changes).logits, before)
        mask = torch.tensor([[0, 0, 0], [1, 1, 1]])
        assert torch.equal(model(**given | {"attention_mask": mask}).logits, before)
        other = model(**given | {"pixel_values": torch.zeros(1, 3, 16, 16)}).logits
    assert not torch.allclose(other[0], before[0]) and torch.equal(other[1], before[1])


def test_cross_attention_looks_at_no_token_that_is_padding_or_absent(encoders: Encoders) -> None:
    model = encoders.model(encoders.config("cross_attention"))
    random = torch.Generator().manual_seed(0)
    widths = {"text": 32, "image": 16, "audio": 16, "tabular": 16}
    states = {name: torch.randn(2, 4, width, generator=random) for name, width in widths.items()}
    masks = {name: torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool) for name in widths}
    present = torch.tensor([[1, 0, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
    changed = {name: each.clone() for name, each in states.items()}
    for each in changed.values():
        each[0, 3] = 1e4  # padding of all of the first row
    changed["image"][0] = 1e4  # what the first row does not have
    with torch.inference_mode():
        before, after = (
            model.fusion({name: (each[name], masks[name]) for name in widths}, present) for each in (states, changed)
        )
        changed["text"][0, 0] = 1e4
        other = model.fusion({name: (changed[name], masks[name]) for name in widths}, present)
    assert torch.equal(before, after) and not torch.allclose(other[0], after[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_with_nothing_has_an_answer_that_is_a_number(encoders: Encoders, kind: str) -> None:
    config = encoders.config(kind)
    found = logits(encoders, config, [compose({}), "", WHOLE])
    assert np.isfinite(found).all() and np.array_equal(found[0], found[1])
    if kind == "late":
        assert np.allclose(found[0], encoders.model(config).classifier.bias.detach().numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["1e300", "-1e300", "inf", "-inf", "nan", "", "9" * 400, "north"])
def test_no_value_makes_an_answer_that_is_no_number(encoders: Encoders, kind: str, value: str) -> None:
    item = compose({"tabular": {"price": value, "shop": value}, "text": "a"})
    assert np.isfinite(logits(encoders, encoders.config(kind), [item])).all()


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=20), st.floats(0, 0.99))
def test_hiding_never_hides_all_of_a_row_nor_shows_what_is_not_there(rows: list[list[bool]], share: float) -> None:
    present = torch.tensor(rows)
    torch.manual_seed(0)
    left = hidden(present, share)
    assert not (left & ~present).any()
    assert torch.equal(left.any(dim=1), present.any(dim=1))


def test_as_many_modalities_are_hidden_as_are_to_be_and_only_in_training(encoders: Encoders) -> None:
    torch.manual_seed(0)
    present = torch.ones(20_000, 2, dtype=torch.bool)
    assert hidden(present, 0.0).all()
    share = 1 - hidden(present, 0.3).float().mean().item()
    assert share == pytest.approx(0.3 * 0.7, abs=0.01)  # both at once are hidden never
    config = encoders.config("late", dropout=0.9)
    assert encoders.model(config).config.modality_dropout == 0.9
    assert np.array_equal(
        logits(encoders, config, MIXED), logits(encoders, encoders.config("late", dropout=0.0), MIXED)
    )
    assert encoders.model(encoders.config("late", ("image",), dropout=0.9)).config.modality_dropout == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_was_saved_and_opened_answers_as_before(encoders: Encoders, kind: str, tmp_path: Path) -> None:
    config = encoders.config(kind)
    model = encoders.model(config)
    model.save_pretrained(tmp_path / "model")
    again: Any = load_trained(
        tmp_path / "model", architecture="AutoModelForSequenceClassification", dtype=torch.float32
    )
    assert type(again) is FusedForSequenceClassification and again.config.modalities == list(NAMES)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))
    # where in memory weights lie may decide the last bit of a product
    assert np.allclose(logits(encoders, config, MIXED, again), logits(encoders, config, MIXED, model), atol=1e-6)
    half: Any = load_trained(
        tmp_path / "model", architecture="AutoModelForSequenceClassification", dtype=torch.bfloat16
    )
    assert {each.dtype for each in half.parameters()} == {torch.bfloat16}
    assert np.allclose(logits(encoders, config, MIXED, half), logits(encoders, config, MIXED, model), atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scratch", [{}, {"image": "scratch", "audio": "scratch", "image_size": 16}])
def test_every_weight_that_no_file_has_is_drawn_from_the_seed(encoders: Encoders, kind: str, scratch: Any) -> None:
    config = encoders.config(kind, **scratch)
    task = create_task(TaskConfig(type="classification"), {"labels": ["a", "b"]})
    folder, found = encoders.source(config), []
    torch.use_deterministic_algorithms(True)  # memory that nobody has written is not a number then
    try:
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            found.append(load_classifier(folder, task).state_dict())
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(each.isfinite().all() for each in found[0].values())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert not torch.equal(found[0]["classifier.weight"], found[2]["classifier.weight"])


def test_pretrained_encoders_are_as_they_were_saved(encoders: Encoders) -> None:
    from transformers import AutoModel

    model = encoders.model(encoders.config("late"))
    for name in ("text", "image", "audio"):
        inside = AutoModel.from_pretrained(getattr(encoders, name)).state_dict()
        mine = getattr(model.encoders, name).state_dict()
        same = [key for key in inside if torch.equal(inside[key], mine[key])]
        assert len(same) >= len(inside) - 2, name  # a pooler that no file has is drawn anew


def test_encoders_become_one_folder_once_for_the_same_settings_and_columns(encoders: Encoders, tmp_path: Path) -> None:
    config = encoders.config("late")
    first = fused_source(config, ROWS, folder=tmp_path, base=None)
    times = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert fused_source(config, ROWS, folder=tmp_path, base=None) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == times
    elsewhere = fused_source(config, ROWS, folder=tmp_path / "elsewhere", base=None)
    for path in (each for each in first.rglob("*") if each.is_file()):
        assert (elsewhere / path.relative_to(first)).read_bytes() == path.read_bytes()
    other = Examples(["0"], [OTHER], ["a"])
    assert fused_source(config, other, folder=tmp_path, base=None) != first
    assert fused_source(encoders.config("cross_attention"), ROWS, folder=tmp_path, base=None) != first
    path = shutil.copytree(encoders.image, tmp_path / "image") / "config.json"
    config = encoders.config("late", image=str(path.parent))
    before = fused_source(config, ROWS, folder=tmp_path, base=None)
    path.write_text(path.read_text().replace("gelu", "relu"))
    assert fused_source(config, ROWS, folder=tmp_path, base=None) != before


def damaged(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def unprepared(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def of_its_own(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"auto_map": {"AutoModel": "mine.Model"},', 1))


@pytest.mark.parametrize(
    ("break_it", "complaint"),
    [
        (damaged, "cannot be loaded"),
        (without_weights, "has no safetensors weights"),
        (unprepared, "does not say how its model is given images"),
        (of_its_own, "wants to run code of its own"),
        (shutil.rmtree, "no model folder"),
    ],
)
def test_an_encoder_that_cannot_be_used_is_an_error_that_leaves_nothing_behind(
    encoders: Encoders, tmp_path: Path, break_it: Any, complaint: str
) -> None:
    folder = shutil.copytree(encoders.image, tmp_path / "image")
    break_it(folder)
    config = encoders.config("late", ("text", "image"), image=str(folder))
    with pytest.raises(ModelError, match=complaint):
        fused_source(config, ROWS, folder=tmp_path / "fused", base=None)
    assert not [path for path in (tmp_path / "fused").rglob("*") if path.is_file()]
