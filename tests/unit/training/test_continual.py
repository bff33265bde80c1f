"""Going on from a model with new data, on a tiny model: old classes stay, settings work together, resuming is exact."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import WORDS
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.paths import Workspace
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples, joined
from tuneloop.data.snapshot import build_snapshot
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.tasks import task_class
from tuneloop.training import loop
from tuneloop.training.continual.replay import OldRows
from tuneloop.training.prepare import prepare
from tuneloop.training.run import Run, open_run, tune

MARKS = {"no": "bad", "yes": "good", "zero": "a", "alpha": "b"}
"""The word that stands in every text of a class."""


def write(path: Path, classes: list[str], rows: int, seed: int) -> None:
    random, marks = np.random.default_rng(seed), set(MARKS.values())
    noise = [word for word in WORDS[6:-1] if word not in marks]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = classes[row % len(classes)]
            writer.writerow([" ".join([MARKS[label] + " " + MARKS[label], *random.choice(noise, 5)]), label])


@dataclass
class Project:
    """A folder with two files of data, and a model that has learnt the first."""

    folder: Path
    model: Path

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "work")

    def config(self, source: str, method: Any = "full", training: Any = None, **continual: Any) -> RunConfig:
        plain = {"epochs": 6, "batch_size": 8, "precision": "fp32", "report_to": [], "learning_rate": 3e-3, "ema": 0}
        return parse_config(
            {
                "name": "mood",
                "data": {"source": source, "clean": {"duplicates": "exact"}},
                "model": {"source": str(self.model), "max_tokens": 16},
                "method": method,
                "training": plain | (training or {}),
                "continual": continual,
            }
        )

    def snapshot(self, config: RunConfig) -> Snapshot:
        task = task_class(config.task)
        return build_snapshot(config, task=task, workspace=self.workspace, base=self.folder, quiet=True)

    def tune(self, config: RunConfig, **more: Any) -> Run:
        return tune(config, snapshot=self.snapshot(config), workspace=self.workspace, quiet=True, **more)


@pytest.fixture(scope="module")
def project(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    folder = tmp_path_factory.mktemp("continual")
    write(folder / "one.csv", ["no", "yes"], 80, 1)
    write(folder / "two.csv", ["zero", "alpha"], 60, 2)
    made = Project(folder, tiny_model)
    return made, made.tune(made.config("one.csv"))


def accuracy(run: Run, project: Project, source: str) -> float:
    test = project.snapshot(project.config(source)).split("test")
    predictor = run.handle()
    return float(np.mean(predictor.task.right(test.labels, predictor.scores(test.inputs))))


def test_new_classes_stand_behind_the_old_ones_which_are_kept_by_replay(project: tuple[Project, Run]) -> None:
    made, old = project
    naive = made.tune(made.config("two.csv", model=old.id, replay=0))
    run = made.tune(made.config("two.csv", model=old.id))
    assert run.handle().task.labels == ("no", "yes", "alpha", "zero")
    assert accuracy(run, made, "one.csv") == accuracy(run, made, "two.csv") == 1
    assert accuracy(naive, made, "one.csv") < 0.6  # the same without old rows: there was something to forget
    facts = run.info["continual"]
    assert (facts["run"], facts["old_classes"], facts["memory_rows"]) == (old.id, 2, 64)
    assert facts["replayed_rows"] == 3 * len(made.snapshot(run.config).split("train"))  # three quarters of all


def test_before_the_first_step_old_logits_are_as_they_were(project: tuple[Project, Run]) -> None:
    made, old = project
    config = made.config("two.csv", model=old.id)
    ready = prepare(config, made.snapshot(config), workspace=made.workspace)
    from tuneloop.models.forward import predict_logits

    texts = made.snapshot(made.config("one.csv")).split("test").inputs
    predictor = old.handle()
    now = predict_logits(ready.model, predictor.tokenizer.encode(texts), "fp32")
    assert now.shape[1] == 4
    assert np.allclose(now[:, :2], predictor.logits(texts), atol=1e-5)


def test_what_holds_the_old_model_moves_its_answers_less(project: tuple[Project, Run]) -> None:
    made, old = project
    test = made.snapshot(made.config("one.csv")).split("test")
    before = old.handle().logits(test.inputs)

    def moved(**continual: float) -> float:
        once = {"epochs": 3, "evaluations_per_epoch": 1}
        run = made.tune(made.config("two.csv", training=once, model=old.id, replay=0, **continual))
        temperature = run.info["temperature"]
        return float(np.abs(run.handle().logits(test.inputs)[:, :2] * temperature - before).mean())

    naive = moved()
    assert moved(lwf=10.0) < 0.7 * naive
    assert moved(l2_sp=3.0) < 0.7 * naive
    assert moved(ewc=1000.0) < 0.7 * naive


@pytest.mark.parametrize("method", ["full", "bitfit", "lora", "adalora", "probe", {"type": "distill", "teacher": ""}])
def test_every_way_goes_with_the_methods(project: tuple[Project, Run], method: Any) -> None:
    made, old = project
    if isinstance(method, dict):
        method = method | {"teacher": made.tune(made.config("two.csv", training={"epochs": 1}, model=old.id)).id}
    held = {} if method == "probe" else {"ewc": 1.0, "l2_sp": 0.01, "lwf": 1.0}
    settings = made.config("two.csv", method, {"epochs": 1}, model=old.id, average=True, buffer="herding", **held)
    run = made.tune(settings)
    assert run.handle().task.labels == ("no", "yes", "alpha", "zero")
    assert (run.path / "fisher.safetensors").is_file() == bool(held)
    tried = run.info["continual"]["average"]["tried"]["macro_f1"]
    assert tried[f"{run.info['continual']['average']['new_share']:g}"] == max(tried.values())


def test_the_adapter_of_a_period_on_the_model_before_it_is_the_model(project: tuple[Project, Run]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    made, old = project
    write(made.folder / "more.csv", ["no", "yes"], 40, 5)
    run = made.tune(made.config("more.csv", "lora", {"epochs": 1}, model=old.id, average=True))
    before = AutoModelForSequenceClassification.from_pretrained(old.path / "model")
    both, whole = PeftModel.from_pretrained(before, run.path / "adapter").eval(), run.handle()
    texts = made.snapshot(run.config).split("test").inputs
    tokens = whole.tokenizer.encode(texts)
    batch = {name: torch.from_numpy(np.asarray(value)) for name, value in tokens.batch(np.arange(len(texts))).items()}
    with torch.inference_mode():
        logits = both(**batch).logits.numpy()
    assert np.allclose(logits, whole.logits(texts), atol=1e-4)


def test_a_third_period_replays_the_rows_of_the_first(project: tuple[Project, Run]) -> None:
    made, old = project
    second = made.tune(made.config("two.csv", training={"epochs": 1}, model=old.id))
    write(made.folder / "three.csv", ["yes", "zero"], 40, 3)  # some classes are not in it
    run = made.tune(made.config("three.csv", model=second.id))
    assert run.handle().task.labels == ("no", "yes", "alpha", "zero")
    assert run.info["continual"]["memory_rows"] == 64 + 48
    assert accuracy(run, made, "one.csv") > 0.9


def test_what_was_held_out_before_is_not_trained_on(project: tuple[Project, Run]) -> None:
    made, old = project
    tested = made.snapshot(made.config("one.csv")).split("test")
    path = made.folder / "again.csv"
    write(path, ["zero", "alpha"], 60, 4)
    with path.open("a", newline="") as file:
        csv.writer(file).writerows(zip(tested.texts, tested.labels, strict=True))
    run = made.tune(made.config("again.csv", training={"epochs": 1}, model=old.id))
    mine = made.snapshot(run.config).split("train")
    assert run.info["continual"]["new_rows_held_out_before"] == len(set(tested.texts) & set(mine.texts)) > 0


def test_a_stopped_update_ends_like_one_that_was_not(
    project: tuple[Project, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, old = project
    training = {"checkpoint_every_steps": 4, "schedule": "constant", "warmup": 0, "epochs": 2}
    settings = made.config("two.csv", training=training, model=old.id, ewc=10.0, l2_sp=0.1, lwf=1.0, average=True)
    whole = made.tune(settings)

    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", lambda step, **_: interrupted() if step == 6 else 1.0)
        with pytest.raises(KeyboardInterrupt):
            made.tune(settings)
    done = made.tune(settings, resume="latest")
    assert done.id != whole.id and open_run(done.id, made.workspace).status == "finished"
    file = Path("model", "model.safetensors")
    assert (done.path / file).read_bytes() == (whole.path / file).read_bytes()


def test_the_fisher_information_is_that_of_a_model_whose_own_is_known() -> None:
    from tuneloop.training.continual.fisher import _surprise

    logits = torch.zeros(1, 2, requires_grad=True)
    found = [torch.autograd.grad(_surprise(logits, torch.tensor([y])), logits)[0].square() for y in (0, 1)]
    assert torch.allclose((found[0] + found[1]) / 2, torch.full((1, 2), 0.25))  # p (1 - p)


@pytest.mark.parametrize(
    ("method", "continual", "message"),
    [
        ("full", {"model": "nobody-1"}, "no release and no finished run nobody-1"),
        ("adapter", {"model": "OLD", "ewc": 1.0}, "a weight that the method adds"),
        ("adapter", {"model": "OLD", "average": True}, "keeps its part apart"),
        ("probe", {"model": "OLD", "lwf": 1.0}, "needs training in steps"),
        ("pet", {"model": "OLD"}, "does not start from a tuned model"),
    ],
)
def test_what_makes_no_sense_is_refused(
    project: tuple[Project, Run], method: str, continual: dict[str, Any], message: str
) -> None:
    made, old = project
    if continual["model"] == "OLD":
        continual = continual | {"model": old.id}
    if method == "pet":
        method = {"type": "pet", "template": "{text} [MASK]"}  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=message):
        made.tune(made.config("two.csv", method, **continual))


def test_forgetting_without_a_model_to_forget_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs continual\.model"):
        parse_config({"data": {"source": "x.csv"}, "continual": {"ewc": 1.0}})


def test_every_new_text_held_out_before_is_refused(project: tuple[Project, Run]) -> None:
    made, _ = project
    tested = made.snapshot(made.config("one.csv")).split("test")
    rows = OldRows(tested.select([]), tested.select([]), frozenset(comparables(tested)), 0)
    with pytest.raises(DataError, match="Every new training text"):
        rows.new(tested)


def some(count: int, prefix: str = "") -> Examples:
    """Rows with ids from 1."""
    ids = [f"{prefix}{row}" for row in range(1, count + 1)]
    return Examples(ids, [f"text {each}" for each in ids], ["a"] * count)


def memory(count: int) -> OldRows:
    return OldRows(some(count, "old-1:"), some(0), frozenset(), 0)


@pytest.mark.parametrize(
    ("replay", "old"), [(0.5, 60), (0.25, 20), (0.75, 180), (0.01, 1), (7.0, 7), (40.0, 40), (999.0, 50)]
)
def test_replay_is_the_share_of_the_old_rows_in_an_epoch_or_their_number(replay: float, old: int) -> None:
    rows, train = memory(50), joined(some(60), some(50, "old-1:"))
    turns = rows.turns(train, np.arange(110), replay, seed=0)
    assert turns.always.tolist() == list(range(60)) and sorted(turns.rotating) == list(range(60, 110))
    assert turns.each == old
    if replay < 1:
        assert np.mean(turns.of(3) >= 60) == pytest.approx(replay, abs=0.01)
    assert len(rows.beside(some(60), replay, seed=0)) == 60 + old  # and as many, where there are no turns
    seen = np.bincount(np.concatenate([turns.of(epoch) for epoch in range(50)]))
    assert np.ptp(seen[60:]) <= 1 and set(seen[:60]) == {50}


def test_which_old_rows_come_first_is_drawn_from_the_seed() -> None:
    rows, train = memory(50), joined(some(60), some(50, "old-1:"))
    orders = [rows.turns(train, np.arange(110), 0.1, seed=seed).rotating.tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2] and orders[0] != sorted(orders[0])


def test_a_changed_copy_of_an_old_row_takes_turns_with_it_and_one_of_a_new_row_does_not() -> None:
    train = joined(some(2), some(2, "old-1:"), Examples(["1~0", "old-1:2~1"], ["x", "y"], ["a", "a"]))
    turns = memory(2).turns(train, np.arange(6), 0.5, seed=0)
    assert turns.always.tolist() == [0, 1, 4] and sorted(turns.rotating) == [2, 3, 5] and turns.each == 3


def test_all_texts_of_an_old_row_that_stay_together_are_one_group() -> None:
    groups = np.array([0, 1, 2, 3])  # rows of groups of several texts each
    turns = memory(2).turns(joined(some(2), some(2, "old-1:")), groups, 0.5, seed=0)
    assert turns.always.tolist() == [0, 1] and sorted(turns.rotating) == [2, 3]
    parted = np.array([0, 0, 1, 2, 2, 2, 3])  # of windows, which batches may part, each is a group
    turns = memory(2).turns(joined(some(2), some(2, "old-1:")), parted, 3.0, seed=0)
    assert turns.always.tolist() == [0, 1, 2] and sorted(turns.rotating) == [3, 4, 5, 6] and turns.each == 3


def test_without_old_rows_nothing_takes_turns() -> None:
    turns = memory(0).turns(some(5), np.arange(5), 0.5, seed=0)
    assert turns.each == 0 and [turns.of(epoch).tolist() for epoch in (0, 9)] == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize(("method", "replay"), [("full", 0.25), ("lora", 0.5), ("bitfit", 10)])
def test_every_epoch_has_all_new_rows_and_other_old_ones(
    project: tuple[Project, Run], method: str, replay: float
) -> None:
    made, old = project
    config = made.config("two.csv", method, model=old.id, replay=replay)
    ready = prepare(config, made.snapshot(config), workspace=made.workspace)
    new, kept = len(made.snapshot(config).split("train")), 64
    each = round(replay / (1 - replay) * new) if replay < 1 else replay
    assert len(ready.train.labels) == new + kept
    epochs = [
        ready.method.batches(ready.train, batch_size=8, seed=0, epoch=epoch)  # type: ignore[union-attr]
        for epoch in range(4)
    ]
    assert [len(batches) for batches in epochs] == [-(-(new + each) // 8)] * 4
    rows = [np.concatenate(batches) for batches in epochs]
    assert all(sorted(each[each < new]) == list(range(new)) for each in rows)
    assert [np.count_nonzero(each >= new) for each in rows] == [each] * 4
    assert set(rows[0]) != set(rows[1])
    assert np.ptp(np.bincount(np.concatenate(rows))[new:]) <= 1


@pytest.mark.parametrize("method", ["contrastive", "self_training", "probe", "consistency", "distill"])
def test_a_method_that_deals_or_adds_rows_by_itself_has_the_same_old_rows_in_every_epoch(
    project: tuple[Project, Run], method: str
) -> None:
    made, old = project
    (made.folder / "more.txt").write_text("a b c\nd e f\n")
    more = {"self_training": {"texts": "more.txt"}, "distill": {"teacher": old.id}}
    more |= {"consistency": {"texts": "more.txt", "perturbations": ["end_mark"]}}
    named = {"type": method} | more.get(method, {})
    write(made.folder / "new.csv", ["no", "yes"] if method == "distill" else ["zero", "alpha"], 60, 9)
    config = made.config("new.csv", named, model=old.id, replay=0.25)
    ready = prepare(config, made.snapshot(config), workspace=made.workspace, base=made.folder)
    new = len(made.snapshot(config).split("train"))
    assert ready.train.turns is None
    assert len(ready.train.labels) == new + round(new / 3)


def test_without_replay_there_are_neither_turns_nor_old_rows(project: tuple[Project, Run]) -> None:
    made, old = project
    config = made.config("two.csv", model=old.id, replay=0, lwf=1.0)
    ready = prepare(config, made.snapshot(config), workspace=made.workspace)
    assert ready.train.turns is None and len(ready.train.labels) == len(made.snapshot(config).split("train"))
