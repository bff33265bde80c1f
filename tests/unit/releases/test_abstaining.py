"""A release that abstains: proven, then asked over real HTTP and on a file."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuneloop as tl
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import AbstainConfig
from tuneloop.core.errors import ConfigError, ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.inference.predictor import open_predictor
from tuneloop.releases.abstaining import add_abstaining
from tuneloop.releases.proof import real_tools
from tuneloop.releases.read import Release
from tuneloop.releases.write import write_release
from tuneloop.serve.proof import _served, scores_over_http
from tuneloop.serve.slot import ServedModel, open_model
from tuneloop.training.run import tune

INSIDE, FOREIGN = "good a good b good", "zzz yyy xxx www vvv uuu ttt"
PLAIN = {"label", "probabilities", "truncated"}
ABSTAIN = {"detector": "mahalanobis", "false_alarms": 0.1, "coverage": 0.8}


@pytest.fixture(scope="module")
def release(tiny_model: Path, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Of the tiny BERT."""
    folder = tmp_path_factory.mktemp("abstaining")
    rows = [made_up("classification").split(name) for name in ("train", "dev", "test")]
    lines = [json.dumps({"text": t, "label": y}) for each in rows for t, y in zip(each.texts, each.labels, strict=True)]
    (folder / "texts.jsonl").write_text("\n".join(lines))
    config = parse_config(
        {
            "name": "mood", "workspace": str(folder / "w"),
            "data": {"source": str(folder / "texts.jsonl"), "split": {"dev": 0.2, "test": 0.2}},
            "model": {"source": str(tiny_model), "max_tokens": 16},
            "training": {"epochs": 8, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
            "release": {"forms": [], "abstain": ABSTAIN},
        }
    )  # fmt: skip
    run, dev = tl.tune(config, quiet=True), tl.api.snapshot(config, quiet=True).split("dev")
    tools = replace(real_tools(serve=scores_over_http), speed=lambda *_: 1.0)
    return write_release(
        run.path, workspace=Workspace(folder / "w"), config=config, dev=dev, evaluation={"metrics": {}}, tools=tools,
        quiet=True,
    )  # fmt: skip


@contextmanager
def asked(release: Release) -> Iterator[Any]:
    """A function from texts to the predictions that a server sends."""
    model: ServedModel = open_model(
        release.id, workspace=Workspace(release.path.parents[1]), engine=None, max_batch_tokens=1024
    )
    with closing(model), _served(model.handle) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as line:

        def ask(*texts: str) -> list[dict[str, Any]]:
            line.request("POST", "/v1/predict", json.dumps({"texts": texts}), {"Content-Type": "application/json"})
            found: list[dict[str, Any]] = json.loads(line.getresponse().read())["predictions"]
            return found

        yield ask


def test_a_server_refuses_a_foreign_text_and_answers_one_of_its_own(release: Release) -> None:
    with asked(release) as ask:
        own, foreign, again = ask(INSIDE, FOREIGN, INSIDE)
    assert own == again and own.keys() == PLAIN | {"outside", "abstained", "set"}
    assert (own["label"], own["abstained"], own["set"]) == ("yes", False, ["yes"])
    assert own["outside"] < 0.9
    assert foreign["abstained"] and foreign["outside"] > 0.9
    assert release.info["abstaining"]["detectors"] == ["mahalanobis", "energy"]
    card = (release.path / "README.md").read_text(encoding="utf-8")
    assert "if mahalanobis finds it more foreign than all but 10%" in card and "in 80% of the texts" in card


def test_vectors_are_those_below_the_last_layer_and_change_no_answer(release: Release) -> None:
    from safetensors.numpy import load_file

    with closing(open_predictor(release.path)) as predictor:
        reading = predictor.read([INSIDE, FOREIGN, "bad"])
        weights = load_file(release.path / "model.safetensors")
        expected = reading.vectors @ weights["classifier.weight"].T + weights["classifier.bias"]
        assert np.allclose(reading.logits, expected, atol=1e-5)
        assert np.array_equal(reading.probabilities, predictor.scores([INSIDE, FOREIGN, "bad"]))
        assert np.array_equal(reading.logits, predictor.logits([INSIDE, FOREIGN, "bad"]))
        assert predictor.predict([]) == []


def test_answers_on_a_file_have_columns_for_it(release: Release, tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").write_text("\n".join(json.dumps({"text": each}) for each in (INSIDE, FOREIGN)))
    workspace = release.path.parents[1]
    tl.api.predict_file(
        release.id, str(tmp_path / "asked.jsonl"), output=tmp_path / "out.csv", engine="torch-fp32",
        workspace=workspace, quiet=True,
    )  # fmt: skip
    header, own, foreign = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert header.endswith("truncated,outside,abstained,set")
    assert own.endswith("False,yes") and ",True," in foreign


def test_the_best_detector_is_chosen_by_texts_that_are_named(release: Release, tmp_path: Path, made_up: Any) -> None:
    data = made_up("classification")
    (tmp_path / "foreign.txt").write_text("\n".join(f"zzz yyy {n} xxx" for n in range(80)))
    wanted = {"detector": "auto", "outside": ["foreign.txt", "scrambled"], "false_alarms": 0.1}
    config = parse_config({"data": {"source": "x.csv"}, "release": {"abstain": wanted}})
    folder = tmp_path / "model"
    shutil.copytree(release.path, folder)
    told = add_abstaining(folder, config, train=data.split("train"), dev=data.split("dev"), base=tmp_path, quiet=True)
    assert list(told["dev_auroc"]) == sorted(told["dev_auroc"], key=lambda name: -told["dev_auroc"][name])
    assert set(told["dev_auroc"]) == {"max_softmax", "energy", "mahalanobis", "neighbours"}
    assert told["detectors"][0] == next(iter(told["dev_auroc"])) and told["coverage"] is None
    with closing(open_predictor(folder)) as predictor:
        assert predictor.predict([FOREIGN])[0].plausible is None
        assert predictor.predict([FOREIGN])[0].abstained


def test_what_cannot_be_kept_is_not_promised(release: Release, tmp_path: Path, made_up: Any, tiny_model: Path) -> None:
    data = made_up("classification")
    config = parse_config({"data": {"source": "x.csv"}, "release": {"abstain": {"coverage": 0.99}}})
    with pytest.raises(ReleaseError, match="needs 99"):
        add_abstaining(release.path, config, train=data.split("train"), dev=data.split("dev"), base=tmp_path)
    settings = {
        "data": {"source": "x.csv"}, "task": "regression", "model": {"source": str(tiny_model)},
        "release": {"abstain": {"coverage": 0.9}},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="does not go with the task regression"):
        tune(parse_config(settings), snapshot=made_up("regression"), workspace=Workspace(tmp_path / "w"), quiet=True)
    assert not (tmp_path / "w").exists()
    assert not AbstainConfig().used
