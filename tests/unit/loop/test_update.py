"""Updates of a tiny model: what is promoted, what is not, what feedback is worth, what a stopped one does again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuneloop as tl
from tests.conftest import WORDS
from tuneloop.api import releases
from tuneloop.api.updating import _refuse_canary
from tuneloop.cli.app import run as command
from tuneloop.core.config import TaskConfig, parse_config, parse_options
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.evaluation.paired import Difference
from tuneloop.loop import candidates
from tuneloop.loop.evidence import among, of_classes
from tuneloop.releases import auditing
from tuneloop.tasks import create_task
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.store import open_store

MARKS = {"no": "bad", "yes": "good"}
NEW_MARKS = {"no": "a", "yes": "b"}
"""The words that stand for the classes in new rows."""


def write(path: Path, rows: int, seed: int, marks: dict[str, str]) -> Path:
    random = np.random.default_rng(seed)
    noise = [word for word in WORDS[8:-1]]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = ["no", "yes"][row % 2]
            writer.writerow([" ".join(random.permutation([marks[label]] * 2 + [*random.choice(noise, 6)])), label])
    return path


@pytest.fixture(scope="module")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the release mood-1 of a model that knows `good` and `bad`."""
    folder = tmp_path_factory.mktemp("update")
    write(folder / "old.csv", 160, 1, MARKS)
    settings = {
        "name": "mood",
        "workspace": str(folder / "w"),
        "data": {"source": str(folder / "old.csv"), "clean": {"duplicates": "exact"}, "split": {"test": 0.3}},
        "model": {"source": str(tiny_model), "max_tokens": 16},
        "training": {
            "epochs": 6,
            "evaluations_per_epoch": 1,
            "batch_size": 8,
            "precision": "fp32",
            "report_to": [],
            "learning_rate": 3e-3,
            "ema": 0,
        },
        "continual": {"replay": 0.5},  # so little that a step can forget
        "evaluation": {"resamples": 100},
        "audit": {"audits": ["cost"], "limits": {"cost.size_mb": 1e6}},
        "release": {"forms": []},
    }
    tl.release(tl.tune(settings, quiet=True), quiet=True)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it, whose workspace is to be changed."""
    shutil.copytree(made / "w", tmp_path / "w")
    return tmp_path


def update(project: Path, file: Path | None, *steps: Any, name: str = "mood-1", **more: Any) -> dict[str, Any]:
    return tl.update(name, data=file or (), steps=steps, workspace=project / "w", quiet=True, **more)


def test_what_is_better_is_released_and_the_step_before_that_cannot_help_is_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited: list[int] = []
    new = write(project / "new.csv", 160, 2, NEW_MARKS)
    real = auditing.run_audits
    monkeypatch.setattr(auditing, "run_audits", lambda *given, **more: audited.append(1) or real(*given, **more))
    config = {"data": {"source": "none.csv"}, "update": {"deploy": "canary"}, "deploy": {"share": 0.2}}
    found = update(project, new, "recalibrate", "full", "adapter", config=config)
    assert found["verdict"] == "promote" and found["judged_on"] == "test"
    assert found["tried"][0]["dev"]["verdict"] != "promote"
    assert [each["step"] for each in found["tried"]] == ["recalibrate", "full"]  # adapter was not needed
    release = tl.load("mood", workspace=project / "w")
    assert release.id == found["release"] == "mood-2"
    assert release.info["lineage"]["went_on_from"]["model"] == "mood-1" and release.info["run"] == found["candidate"]
    assert audited == [1] and (release.path / "audit.json").is_file()  # the gate's audit is the release's
    about = {reason["about"]: reason for reason in found["reasons"]}
    assert about["new"]["outcome"] == "gained" and about["mood-1"]["outcome"] == "kept"
    (tried,) = tl.deployments(workspace=project / "w")
    assert (tried["current"], tried["candidate"]["release"], tried["candidate"]["share"]) == ("mood-1", "mood-2", 0.2)
    assert found["deployed"] == tried["history"][0] and found["deployed"]["why"] == "tuneloop update"
    assert update(project, new, name="mood", dry_run=True)["current"] == "mood-1"  # what answers, not the newest
    decision = json.loads((Path(found["report"]).parent / "decision.json").read_text())
    assert decision["release"] == "mood-2" and "mood-1" in Path(found["report"]).read_text()


def test_perturbed_texts_of_every_test_set_judge_too(project: Path) -> None:
    new = write(project / "new.csv", 160, 2, NEW_MARKS)
    config = {"data": {"source": "none.csv"}, "update": {"gate": {"perturbations": ["extra_spaces"]}}}
    found = update(project, new, "full", config=config)
    about = {(reason["about"], reason["fields"]["kind"]): reason for reason in found["reasons"]}
    assert set(about) == {("new", "new"), ("mood-1", "old"), ("new", "perturbed"), ("mood-1", "perturbed")}
    plain, perturbed = about["new", "new"]["fields"], about["new", "perturbed"]["fields"]
    assert 0 < perturbed["rows"] <= plain["rows"]
    assert perturbed["value_a"] > perturbed["value_b"]  # more spaces change nothing
    assert all(reason["outcome"] in ("kept", "unclear") for (_, kind), reason in about.items() if kind == "perturbed")
    assert "the new rows, perturbed" in Path(found["report"]).read_text()


def test_perturbations_that_change_the_answer_are_refused_before_anything_is_trained(project: Path) -> None:
    config = {"data": {"source": "none.csv"}, "update": {"gate": {"perturbations": ["negation"]}}}
    with pytest.raises(ConfigError, match=r"update\.gate\.perturbations: negation changes the right answer"):
        update(project, write(project / "new.csv", 160, 2, NEW_MARKS), "full", config=config)
    assert len(list((project / "w" / "runs").iterdir())) == 1


def test_a_canary_of_a_model_that_writes_is_refused_before_anything_is_trained() -> None:
    asked = {"data": {"source": "x.csv"}, "task": "generation", "update": {"deploy": "canary"}}
    with pytest.raises(ConfigError, match="not for models that write"):
        _refuse_canary(parse_config(asked))


def test_rows_that_teach_nothing_promote_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = write(project / "new.csv", 60, 3, MARKS)
    arguments = ["update", "mood", "-d", str(new), "--steps", "recalibrate,head", "-w", str(project / "w"), "-q"]
    assert command(arguments) in (1, 3)
    told = capsys.readouterr().err
    assert "Nothing was released" in told and "tuneloop release mood-" in told
    assert [row.id for row in releases(workspace=project / "w")] == ["mood-1"]


def test_a_step_that_forgets_is_held_and_the_next_one_is_tried(project: Path, monkeypatch: Any) -> None:
    new = write(project / "new.csv", 160, 4, {"no": "good", "yes": "bad"})  # the words mean the opposite now
    found = update(project, new, "full", "head")
    assert [each["step"] for each in found["tried"]] == ["full", "head"]
    assert found["verdict"] == "hold" and found["judged_on"] == "dev" and found["release"] is None
    lost = [reason["about"] for reason in found["tried"][0]["dev"]["reasons"] if reason["outcome"] == "lost"]
    assert lost == ["mood-1"]


def test_a_stopped_update_trains_nothing_twice_and_releases_once(project: Path, monkeypatch: Any) -> None:
    new, trained = write(project / "new.csv", 160, 5, NEW_MARKS), []
    real = candidates.tune

    def stopping(config: Any, **more: Any) -> Any:
        trained.append(config.method.type)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(config, **more)

    monkeypatch.setattr(candidates, "tune", stopping)
    with pytest.raises(KeyboardInterrupt):
        update(project, new, "recalibrate", "full")
    first = update(project, new, "recalibrate", "full")
    again = update(project, new, "recalibrate", "full")
    assert trained == ["probe", "full", "full"]  # the second was stopped before it began
    assert [each["cost"]["found_again"] for each in again["tried"]] == [True, True]
    assert first["reasons"] == again["reasons"] and first["release"] == again["release"] == "mood-2"
    assert len(releases(workspace=project / "w")) == 2


@pytest.fixture(params=["sqlite", "postgres"])
def events_at(request: pytest.FixtureRequest, project: Path) -> str | None:
    """Where events are kept: the workspace, or the URL of a database."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres")


def test_feedback_becomes_rows_and_what_contradicts_itself_does_not(project: Path, events_at: str | None) -> None:
    place, more = Workspace(project / "w"), {}
    if events_at:  # as a configuration names it
        more = {"config": parse_config({"data": {"source": "old.csv"}, "watch": {"store": events_at}})}
    store = open_store(parse_options(WatchConfig, {"store": events_at or ""}, where="watch"), place)
    texts = ["a c d", "a c e", "a c f", "b c d", "b c e", None, "b c g", "b d g"]
    answers = ["yes"] * 8
    events = [
        Event(f"r.{number}", 1.0, "mood-1", f"{number:032x}", answer, 0.9, text=text)
        for number, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]
    store.add_events([*events, Event("s.0", 1.0, "other-1", "ff" * 16, "yes", 0.9, text="c c c")])
    said = [("r.0", "no", None), ("r.1", "no", None), ("r.1", "yes", None), ("r.2", None, False), ("r.3", None, True),
            ("r.4", "yes", None), ("r.4", None, True), ("r.5", "yes", None), ("r.6", "maybe", None),
            ("s.0", "no", None)]  # fmt: skip
    store.add_feedback([Feedback(f"k{n}", event, label, good, 2.0) for n, (event, label, good) in enumerate(said)])
    store.close()
    new = write(project / "new.csv", 40, 6, NEW_MARKS)
    found = update(project, new, feedback=True, dry_run=True, **more)
    assert found["new_rows"]["feedback"] == {
        "used": 3, "repeated": 1, "contradictory": 2, "without_label": 1, "without_text": 1, "unknown_class": 1,
        "known": 0,
    }  # fmt: skip
    rows = [json.loads(line) for line in Path(found["new_rows"]["path"]).read_text().splitlines()]
    assert len(rows) == 43
    assert rows[40:] == [
        {"text": "a c d", "label": "no"}, {"text": "b c d", "label": "yes"}, {"text": "b c e", "label": "yes"}
    ]  # fmt: skip
    assert not list((project / "w" / "updates").glob("mood-*"))


def test_without_rows_or_with_an_unknown_step_there_is_one_clear_error(project: Path) -> None:
    with pytest.raises(DataError, match="no new rows"):
        update(project, None)
    with pytest.raises(ConfigError, match="update: steps"):
        update(project, write(project / "new.csv", 40, 7, MARKS), "retrain")


def test_what_a_model_does_not_know_it_never_answers() -> None:
    old, new = (create_task(TaskConfig(type="classification"), {"labels": names}) for names in ("ab", "abc"))
    scores = np.array([[0.7, 0.3], [0.4, 0.6]], np.float32)
    wide = among(new, old, scores)
    assert wide.shape == (2, 3) and new.decide(wide) == ["a", "b"]
    halved = Difference("macro_f1", 0.6, 0.5, 0.1, 0.02, 0.18, 0.01, "better")
    whole = of_classes(halved, new, 2)  # rows of two classes, judged with three
    assert (whole.value_a, whole.low) == pytest.approx((0.9, 0.03))
