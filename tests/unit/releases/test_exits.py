"""Exits are fitted when a release is made: proven like any form, told of, opened again, left alone by others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tuneloop as tl
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, DataError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot_folder import find_snapshot
from tuneloop.inference.engine import EXITS
from tuneloop.inference.exits import ABOUT, HEADS, read_exits
from tuneloop.inference.opening import open_model
from tuneloop.inference.predictor import Predictor, open_predictor
from tuneloop.models.first_token import read_first_token_only
from tuneloop.releases.exits_words import told
from tuneloop.releases.manifest import verify
from tuneloop.releases.proof import real_tools
from tuneloop.releases.read import Release
from tuneloop.releases.write import write_release
from tuneloop.training.run import Run

TEXTS = ["good good good a", "bad b bad bad", "c", "bad good d e f g bad bad", "h good a", "a b c d e f g h i"]
EXITS_SETTINGS: dict[str, Any] = {"layers": [1, 2], "max_loss": 0.2}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exits")


@pytest.fixture(scope="module")
def deep(place: Path, tiny_model: Path) -> Path:
    """The tiny BERT with three layers."""
    from transformers import BertConfig, BertForMaskedLM

    folder = place / "deep"
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(tiny_model)
    config.num_hidden_layers = 3
    BertForMaskedLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def configured(place: Path, deep: Path, made_up: Any) -> Callable[..., RunConfig]:
    rows = [made_up("classification").split(name) for name in ("train", "dev", "test", "unlabelled")]
    lines = [json.dumps({"text": x, "label": y}) for each in rows for x, y in zip(each.texts, each.labels, strict=True)]
    (place / "texts.jsonl").write_text("\n".join(lines))

    def one(exits: dict[str, Any] | None = None, **release: Any) -> RunConfig:
        return parse_config(
            {
                "name": "mood", "workspace": str(place / "w"), "data": {"source": str(place / "texts.jsonl")},
                "model": {"source": str(deep), "max_tokens": 16}, "evaluation": {"resamples": 100},
                "training": {"epochs": 4, "batch_size": 8, "learning_rate": 2e-3, "precision": "fp32", "report_to": []},
                "release": {"forms": [], "exits": EXITS_SETTINGS if exits is None else exits, **release},
            }
        )  # fmt: skip

    return one


@pytest.fixture(scope="module")
def run(configured: Callable[..., RunConfig]) -> Run:
    return tl.tune(configured(), quiet=True)


def released(run: Run, config: RunConfig, place: Path, speed: Callable[[Any, Any], float] = lambda *_: 1.0) -> Release:
    workspace = Workspace(place / "w")
    return write_release(
        run.path, workspace=workspace, config=config, dev=find_snapshot(run.snapshot_hash, workspace).split("dev"),
        evaluation={"metrics": {}}, tools=replace(real_tools(), speed=speed), quiet=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(run: Run, configured: Callable[..., RunConfig], place: Path) -> Release:
    """A release whose fastest form is the one with exits."""
    return released(run, configured(), place, lambda opened, _: 2.0 if EXITS in opened.name else 1.0)


@pytest.fixture
def at(made: Release, tmp_path: Path) -> Iterator[Callable[[float], Predictor]]:
    """Opens the release as if its exits had another threshold."""
    folder, opened = tmp_path / "at", []
    shutil.copytree(made.path, folder)

    def one(threshold: float) -> Predictor:
        replace(read_exits(folder), threshold=threshold).keep(folder)
        opened.append(open_predictor(folder, engine=EXITS))
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def test_where_nobody_is_sure_enough_the_answers_are_those_of_the_whole_model_to_the_bit(
    at: Callable[[float], Predictor], made: Release
) -> None:
    exits = at(1.01)
    whole = read_first_token_only(open_model(made.path, dtype=torch.float32))
    tokens = exits.tokenizer.encode(TEXTS)
    batch = tokens.batch(np.arange(len(TEXTS)))
    (found,) = exits.engine.run([batch])
    given = {name: torch.from_numpy(batch[name]) for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.inference_mode():
        expected = whole(**{name: each for name, each in given.items() if name in batch}).logits.numpy()
    assert np.array_equal(found, expected)
    with closing(open_predictor(made.path)) as reference:
        np.testing.assert_allclose(exits.scores(TEXTS), reference.scores(TEXTS), atol=1e-5)


def test_where_everybody_is_sure_enough_all_leave_at_the_first_exit(
    at: Callable[[float], Predictor], monkeypatch: pytest.MonkeyPatch
) -> None:
    exits, heads = at(0.0), None
    monkeypatch.setattr(exits.engine._stages, "logits", lambda _: pytest.fail("the last layers were asked"))
    heads, stages = exits.engine._heads, exits.engine._stages
    found = exits.logits(TEXTS)
    from tuneloop.models.stages import token_means

    for row, text in enumerate(TEXTS):
        arrays = exits.tokenizer.encode([text]).batch(np.arange(1))
        given = exits.engine.tensors(arrays)
        with torch.inference_mode():
            states = stages.states(0, given)
            expected = torch.nn.functional.linear(token_means(states, given["attention_mask"]), *heads[0])
        np.testing.assert_allclose(found[row], expected[0].numpy(), atol=1e-4)


def test_a_text_leaves_whatever_its_neighbours_do(at: Callable[[float], Predictor]) -> None:
    texts = [" ".join(part) for part in zip(TEXTS, reversed(TEXTS), strict=True)] + TEXTS
    sure = np.sort(at(0.0).scores(texts).max(axis=1))
    exits = at(float(sure[len(sure) // 2 - 1 : len(sure) // 2 + 1].mean()))
    together = exits.scores(texts)
    alone = np.concatenate([exits.scores([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    first = at(0.0).scores(texts)
    same = np.isclose(first, together, atol=1e-4).all(axis=1)
    assert same.any() and not same.all()  # some left at the first exit, and some went on


def test_a_release_tells_who_leaves_where_and_what_it_costs(made: Release, place: Path) -> None:
    verify(made.path)
    found = made.info["exits"]
    assert found["used"] and found["layers"] == [1, 2] and found["of"] == 3 and found["fitted_on"] == "dev"
    assert list(found["leave"]) == ["1", "2"]
    assert sum(found["leave"].values()) == pytest.approx(1 - found["handover"]["share"])
    gain = (found["leave"]["1"] * 2 + found["leave"]["2"]) / 3
    assert found["layers_saved"] == pytest.approx(gain) and found["handover"]["p"] <= 0.1
    assert made.engine == EXITS and made.info["forms"][EXITS]["accepted"]
    assert HEADS in made.info["weights"]
    test, data = found["test"], find_snapshot(made.info["data_hash"], Workspace(place / "w")).split("test")
    with closing(made.predictor()) as exits, closing(made.predictor(engine="torch-fp32")) as whole:
        ours, theirs = (each.task.right(data.labels, each.scores(data.inputs)).mean() for each in (exits, whole))
    assert test["accuracy"] == pytest.approx(ours) and test["whole"] == pytest.approx(theirs)
    assert test["low"] <= test["difference"] <= test["high"]
    card = (made.path / "README.md").read_text()
    assert "## Early exits" in card and "behind layer 2" in card and "fastest form" in card


def test_other_engines_and_transformers_know_nothing_of_exits(made: Release, run: Run) -> None:
    from transformers import AutoModelForSequenceClassification

    for name in ("model.safetensors", "config.json"):
        assert (made.path / name).read_bytes() == (run.model_path / name).read_bytes()
    with closing(open_predictor(made.path)) as here, closing(open_predictor(run.model_path)) as there:
        assert np.array_equal(here.scores(TEXTS), there.scores(TEXTS))
    _, report = AutoModelForSequenceClassification.from_pretrained(made.path, output_loading_info=True)
    assert not any(report.values())


def test_a_faster_form_answers_and_the_exits_are_told_to_be_there(
    run: Run, configured: Callable[..., RunConfig], place: Path
) -> None:
    other = released(run, configured(), place)  # all are equally fast, and the first one is taken
    assert other.engine == "torch-fp32" and "--engine torch-exits" in told(other.info)[-1]
    with closing(other.predictor(engine=EXITS)) as exits:
        assert exits.name.endswith("(torch-exits)") and not exits.has_vectors


def test_exits_that_cannot_be_shown_safe_are_left_out_and_that_is_told(
    run: Run, configured: Callable[..., RunConfig], place: Path
) -> None:
    other = released(run, configured({"layers": [1], "max_loss": 0.001}), place)
    assert other.info["exits"]["used"] is False and EXITS not in other.info["forms"]
    assert not (other.path / HEADS).exists() and not (other.path / ABOUT).exists()
    assert "No exit is used" in told(other.info)[0] and "0.1 points" in (other.path / "README.md").read_text()
    with pytest.raises(ModelError, match="cannot be read"):
        open_predictor(other.path, engine=EXITS)


def test_a_form_that_loses_more_on_dev_than_any_form_may_is_taken_out_again(
    run: Run, configured: Callable[..., RunConfig], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneloop.releases import exits

    worst = replace(exits.HandOver(0.0, 0.0, 0.0, 0.0, 0.2, 0.9, 45, 0, 0), threshold=0.0)
    monkeypatch.setattr(exits, "_chosen", lambda *_, **__: worst)
    monkeypatch.setattr(exits, "solve_head", lambda head, *_, **__: torch.nn.init.zeros_(head.weight))
    other = released(run, configured(max_loss=0.01), place)
    assert other.info["forms"][EXITS]["reason"] == "loss" and not (other.path / HEADS).exists()
    assert "refused on dev" in told(other.info)[-1]


def test_other_labelled_rows_may_decide_but_none_that_were_learnt(
    run: Run, configured: Callable[..., RunConfig], place: Path
) -> None:
    words = [("good good c d", "yes"), ("e bad bad f", "no"), ("bad g bad h", "no")]
    lines = [json.dumps({"text": f"{text} {n}", "label": y}) for n in range(20) for text, y in words]
    (place / "more.jsonl").write_text("\n".join(lines))
    found = released(run, configured({"layers": [2], "max_loss": 0.4, "data": str(place / "more.jsonl")}), place).info
    assert found["exits"]["rows"] == 60 and found["exits"]["fitted_on"].endswith("more.jsonl")
    with pytest.raises(DataError, match="train or test split"):
        released(run, configured({"layers": [2], "data": str(place / "texts.jsonl")}), place)


def test_a_finished_run_gets_the_exits_of_another_configuration(
    run: Run, configured: Callable[..., RunConfig], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[RunConfig] = []
    monkeypatch.setattr("tuneloop.releases.write.write_release", lambda *_, config, **__: given.append(config))
    monkeypatch.setattr("tuneloop.releases.scorecard.evaluation_of", lambda *_, **__: {})
    tl.release(run, config=configured({"layers": [2]}, max_loss=0.9), quiet=True)
    tl.release(run, quiet=True)
    assert [each.release.exits.layers for each in given] == [(2,), (1, 2)]
    assert given[0].release.max_loss == given[1].release.max_loss  # nothing else is taken from it


def test_what_cannot_have_exits_is_refused_before_it_is_trained(
    configured: Callable[..., RunConfig], place: Path
) -> None:
    before = sorted((place / "w" / "runs").iterdir())
    with pytest.raises(ConfigError, match=r"\[3\], but the model has 3 layers"):
        tl.tune(configured({"layers": [3]}), quiet=True)
    with pytest.raises(ConfigError, match=r"release\.abstain"):
        tl.tune(configured(abstain={"detector": "energy"}), quiet=True)
    regression = configured().model_dump() | {"task": "regression"}
    (place / "numbers.jsonl").write_text("\n".join(json.dumps({"text": f"a {n}", "label": n}) for n in range(40)))
    regression["data"]["source"] = str(place / "numbers.jsonl")
    with pytest.raises(ConfigError, match="task regression"):
        tl.tune(parse_config(regression), quiet=True)
    assert sorted((place / "w" / "runs").iterdir()) == before


def test_damaged_exits_are_told(made: Release, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(made.path, folder)
    about = json.loads((folder / ABOUT).read_text())
    # of the first version, the threshold was another kind of number
    for wrong in ({"layers": [1, 2]}, about | {"version": 1}):
        (folder / ABOUT).write_text(json.dumps(wrong))
        with pytest.raises(ModelError, match=r"exits\.json cannot be read") as refused:
            open_predictor(folder, engine=EXITS)
        assert "release.exits.layers" in refused.value.hint
