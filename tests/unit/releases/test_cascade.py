"""Two releases become one that is written, proven, opened, evaluated and served like any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tuneloop as tl
from tuneloop.core.errors import ConfigError, DataError, ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.inference.cascade import Cascade
from tuneloop.releases import cascade as cascades
from tuneloop.releases import index
from tuneloop.releases.cascade import Costs
from tuneloop.releases.manifest import verify
from tuneloop.releases.read import Release
from tuneloop.serve.slot import open_model

SETTINGS: dict[str, Any] = {
    "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
    "release": {"forms": []},
    "evaluation": {"resamples": 100},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cascades")


@pytest.fixture(scope="module")
def release(place: Path, tiny_model: Path, made_up: Any) -> Callable[..., Release]:
    """Tunes and releases a tiny model; the same settings give the same release again."""
    rows = [made_up("classification").split(name) for name in ("train", "dev", "test", "unlabelled")]
    lines = [
        json.dumps({"text": text, "label": label})
        for part in rows
        for text, label in zip(part.texts, part.labels, strict=True)
    ]
    (place / "texts.jsonl").write_text("\n".join(lines))
    made: dict[str, Release] = {}

    def one(name: str, **more: Any) -> Release:
        if name not in made:
            config = {
                "name": name, "workspace": str(place / "workspace"), "data": {"source": str(place / "texts.jsonl")},
                "model": {"source": str(tiny_model), "max_tokens": 16}, **SETTINGS, **more,
            }  # fmt: skip
            made[name] = tl.release(tl.tune(config, quiet=True), quiet=True)
        return made[name]

    return one


@pytest.fixture(scope="module")
def join(place: Path) -> Iterator[Callable[..., Release]]:
    """Makes a cascade as if the first model took a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cascades, "_costs", lambda *_: Costs(0.001, 0.01))

        def one(cheap: Release, strong: Release, **more: Any) -> Release:
            given = {"max_loss": 0.2, "workspace": place / "workspace", "quiet": True} | more
            return tl.cascade(cheap.id, strong.id, **given)

        yield one


@pytest.fixture(scope="module")
def made(release: Callable[..., Release], join: Callable[..., Release]) -> Release:
    return join(release("quick", method={"type": "probe"}), release("mood"), name="both")


def test_a_cascade_is_a_release_with_both_inside(made: Release, release: Callable[..., Release]) -> None:
    assert made.id.startswith("both-") and made.engine == "cascade"
    verify(made.path)
    for part, one in (("cheap", release("quick")), ("strong", release("mood"))):
        verify(made.path / part)
        assert (made.path / part / "model.safetensors").read_bytes() == (one.path / "model.safetensors").read_bytes()
    found = made.info["cascade"]
    assert (found["cheap"], found["strong"]) == (release("quick").id, release("mood").id)
    share = found["handover"]["share"]
    assert found["times_cheaper"] == pytest.approx(0.01 / (0.001 + share * 0.01))
    assert made.info["served"]["agreement"] == 1 and made.info["forms"]["cascade"]["batch_effect"] < 0.005
    card = (made.path / "README.md").read_text()
    assert "## Cascade" in card and release("quick").id in card and "tl.load" in card and "pipeline(" not in card


def test_the_figure_of_the_test_split_is_that_of_its_own_answers(
    made: Release, place: Path, release: Callable[..., Release]
) -> None:
    test = made.info["cascade"]["test"]
    again = tl.evaluate(made, workspace=place / "workspace", against=release("mood").id, quiet=True)
    assert test["accuracy"] == again["metrics"]["accuracy"]["value"]
    assert test["strong"] == release("mood").evaluation["metrics"]["accuracy"]["value"]
    assert test["difference"] == pytest.approx(test["accuracy"] - test["strong"])
    assert test["low"] <= test["difference"] <= test["high"]
    assert {"evaluation.json", "predictions.parquet", "report.html"} <= {path.name for path in made.path.iterdir()}


def test_it_is_loaded_and_served_like_any_other(made: Release, place: Path) -> None:
    opened = tl.load("both", workspace=place / "workspace")
    assert opened.id == made.id
    model = open_model(made.id, workspace=Workspace(place / "workspace"), engine=None, max_batch_tokens=64)
    assert isinstance(model.handle, Cascade) and model.is_steady
    assert all(part.engine.max_batch_tokens == 64 for part in model.handle.parts)
    texts = ["good good good a", "bad b bad bad"]
    assert model.handle.predict(texts) == opened.predict(texts)
    model.close()


def test_a_changed_part_is_noticed(made: Release, place: Path) -> None:
    path = made.path / "cheap" / "config.json"
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    with pytest.raises(ReleaseError, match="damaged"):
        tl.load(made.id, workspace=place / "workspace")
    path.write_bytes(content)


def test_other_labelled_rows_may_decide_but_none_that_were_learnt(
    made: Release, release: Callable[..., Release], join: Callable[..., Release], place: Path
) -> None:
    other = place / "other.jsonl"
    words = [("good good c d", "yes"), ("e bad bad f", "no"), ("bad g bad h", "no")]
    other.write_text("\n".join(json.dumps({"text": f"{text} {n}", "label": y}) for n in range(20) for text, y in words))
    found = join(release("quick"), release("mood"), data=other, max_loss=0.45).info["cascade"]
    assert found["handover"]["rows"] == 60 and found["fitted_on"] == "other.jsonl"
    with pytest.raises(DataError, match="train or test split"):
        join(release("quick"), release("mood"), data=place / "texts.jsonl")


def test_a_cascade_that_is_not_cheaper_is_refused_and_leaves_nothing(
    made: Release, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cascades, "_costs", lambda *_: Costs(0.01, 0.01))
    before = sorted((place / "workspace" / "releases").iterdir())
    with pytest.raises(ReleaseError, match="ms for a text"):
        tl.cascade("quick", "mood", max_loss=0.2, workspace=place / "workspace", quiet=True)
    assert sorted((place / "workspace" / "releases").iterdir()) == before
    assert index.next_id("mood-cascade", Workspace(place / "workspace")) == "mood-cascade-2"  # 1 is from other rows


def test_too_few_rows_promise_nothing(
    made: Release, release: Callable[..., Release], join: Callable[..., Release]
) -> None:
    with pytest.raises(DataError, match="cannot show"):
        join(release("quick"), release("mood"), max_loss=0.001)


def test_releases_that_do_not_go_together_are_refused(made: Release, release: Callable[..., Release]) -> None:
    mood = release("mood")

    def other(**changes: Any) -> Release:
        return Release("m-1", mood.path, mood.info | changes)

    def of_task(task: str) -> dict[str, Any]:
        return mood.info["config"] | {"task": {"type": task}}

    refused = {
        "answers the task": other(config=of_task("pair")),
        "cannot be handed over": other(config=of_task("multilabel")),
        "different data": other(data_hash="other"),
        "abstains": other(abstaining={}),
        "is a cascade itself": made,
    }
    for why, one in refused.items():
        with pytest.raises(ConfigError, match=why):
            cascades._check_parts(one, mood)
