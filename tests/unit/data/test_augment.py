from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import AugmentConfig
from tuneloop.data.augment import augmented
from tuneloop.data.examples import Examples
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune

ROWS = Examples(
    ["1", "2", "3", "4"],
    ["Wonderful room", "TERRIBLE", "clean beds and friendly people", "280"],
    ["yes", "no", "yes", "no"],
    columns={"hotel": ["a", "b", "c", "d"]},
)


def test_copies_stand_behind_the_rows_and_keep_labels_and_columns() -> None:
    config = AugmentConfig(perturbations=("typos", "suffix"), share=1.5)
    found = augmented(ROWS, config, seed=3)
    assert found.select(range(4)) == ROWS
    assert len(found) == 10
    by_text = dict(zip(ROWS.ids, zip(ROWS.labels, ROWS.columns["hotel"], strict=True), strict=True))
    for row in range(4, 10):
        assert by_text[found.ids[row].partition("~")[0]] == (found.labels[row], found.columns["hotel"][row])
        assert found.texts[row] not in ROWS.texts
    assert len(set(found.ids)) == 10
    assert augmented(ROWS, config, seed=3) == found
    assert augmented(ROWS, config, seed=4) != found


def test_nothing_asked_for_changes_nothing_and_what_cannot_be_perturbed_has_no_copy() -> None:
    assert augmented(ROWS, AugmentConfig(), seed=0) is ROWS
    assert len(augmented(ROWS, AugmentConfig(perturbations=("typos",)), seed=0)) == 7  # "280" has no letter


def test_several_changes_can_lie_on_one_copy() -> None:
    config = AugmentConfig(perturbations=("upper_case", "end_mark"), together=2)
    found = augmented(ROWS.select([0]), config, seed=0)
    assert found.texts[1] in ("WONDERFUL ROOM.", "WONDERFUL ROOM")


def test_what_turns_the_answer_is_no_copy() -> None:
    with pytest.raises(ConfigError, match="negation changes the right answer"):
        augmented(ROWS, AugmentConfig(perturbations=("negation",)), seed=0)


def settings(source: Path, task: str, **augment: Any) -> Any:
    data = {"source": "x.csv", "augment": {"perturbations": ["suffix"]} | augment}
    return parse_config({"data": data, "task": task, "model": {"source": str(source), "max_tokens": 16}})


def test_training_reads_the_copies_and_dev_has_none(tiny_model: Path, made_up: Any) -> None:
    ready = prepare(settings(tiny_model, "classification", share=0.5), made_up("classification"))
    assert (len(ready.train.labels), len(ready.train.tokens), len(ready.dev.labels)) == (135, 135, 45)


def test_labels_of_parts_of_a_text_are_not_augmented_and_a_checkpoint_knows_of_copies(
    tiny_model: Path, made_up: Any
) -> None:
    with pytest.raises(ConfigError, match="tagging"):
        prepare(settings(tiny_model, "tagging"), made_up("tagging"))
    for kind in ("multilabel", "regression"):
        with pytest.raises(ConfigError, match="one class for each text"):
            prepare(settings(tiny_model, kind, attack=["mood-1"]), made_up(kind))
    plain = parse_config({"data": {"source": "x.csv"}}).fingerprint()
    assert "augment" not in plain["data"]  # as it was before there was any
    assert settings(tiny_model, "classification").fingerprint()["data"]["augment"]["perturbations"] == ["suffix"]


def test_what_an_attack_made_of_training_rows_is_learnt_from_and_kept(
    tiny_model: Path, made_up: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, snapshot = Workspace(tmp_path), made_up("classification")
    data = {"source": "x.csv"}
    training = {"epochs": 8, "learning_rate": 3e-3}
    plain = {"data": data, "model": {"source": str(tiny_model), "max_tokens": 16}, "training": training}
    run = tune(parse_config(plain), snapshot=snapshot, workspace=place, quiet=True)
    augment = {"perturbations": ["typos", "suffix"], "share": 0.1, "attack": run.id, "words": 0.5}
    config = parse_config(plain | {"data": data | {"augment": augment}})
    ready = prepare(config, snapshot, workspace=place, cache=place.cache)
    train = snapshot.split("train")
    right = [
        answer == label
        for answer, label in zip(run.handle().task.decide(run.handle().scores(train.inputs)), train.labels, strict=True)
    ]
    extra = len(ready.train.labels) - len(train) - round(0.1 * len(train))
    assert 0 < extra <= sum(right)  # of rows that it answers rightly
    found = ready.train.inputs[-extra:]
    assert not set(found) & set(train.inputs)
    monkeypatch.setattr("tuneloop.training.hardening.open_predictor", None)  # what was found is not searched again
    again = prepare(config, snapshot, workspace=place, cache=place.cache)
    assert again.train.inputs == ready.train.inputs
    twice = parse_config(plain | {"data": data | {"augment": augment | {"attack": [run.id, run.id]}}})
    assert prepare(twice, snapshot, workspace=place, cache=place.cache).train.inputs == ready.train.inputs
    nothing = parse_config(plain | {"data": data | {"augment": {"perturbations": ["suffix"], "attack": run.id}}})
    with pytest.raises(ConfigError, match="single words"):
        prepare(nothing, snapshot, workspace=place)
    gone = parse_config(plain | {"data": data | {"augment": {"perturbations": ["typos"], "attack": "mood-9"}}})
    with pytest.raises(ConfigError, match="mood-9"):
        prepare(gone, snapshot, workspace=place)
