"""One adapter for each period, on a tiny model: old answers stay, and texts find their period."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tuneloop as tl
from tests.unit.training.test_continual import Project, accuracy
from tuneloop.api.trust import explain
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.training.run import Run, open_run

TOPICS = {"one.csv": ("m", "n"), "two.csv": ("c", "d"), "three.csv": ("e", "f")}
MARKS = {"no": "bad", "yes": "good", "zero": "a", "alpha": "b", "beta": "k"}
APART = {"type": "lora", "keep": "apart", "rate_scale": 3, "head_scale": 3}
HOULSBY = {"type": "adapter", "size": 8, "rate_scale": 1, "head_scale": 1}
MORE = {"epochs": 8, "evaluations_per_epoch": 1}


class Quick(Project):
    """One that spends little on intervals."""

    def config(self, *given: Any, **more: Any) -> RunConfig:
        config = super().config(*given, **more)
        return config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"resamples": 100})})


def write(path: Path, classes: list[str], rows: int, seed: int) -> None:
    """Texts of a topic of their own, which hold the word of their class four times."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = classes[row % len(classes)]
            words = [*[MARKS[label]] * 4, *random.choice(TOPICS[path.name], 3), random.choice(list("ghijlo"))]
            writer.writerow([" ".join(random.permutation(words)), label])


@pytest.fixture(scope="module")
def periods(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[Run]]:
    """An ordinary model, and two periods after it."""
    folder = tmp_path_factory.mktemp("periods")
    write(folder / "one.csv", ["no", "yes"], 80, 1)
    write(folder / "two.csv", ["zero", "alpha"], 80, 2)
    write(folder / "three.csv", ["beta", "no"], 80, 3)
    made = Quick(folder, tiny_model)
    runs = [made.tune(made.config("one.csv"))]
    for source, method in (("two.csv", APART), ("three.csv", HOULSBY)):
        runs.append(made.tune(made.config(source, method, MORE, model=runs[-1].id, adapters=True)))
    return made, runs


def texts_of(made: Project, source: str) -> list[Any]:
    return list(made.snapshot(made.config(source)).split("test").inputs)


def test_every_period_is_answered_by_its_own_adapter(periods: tuple[Project, list[Run]]) -> None:
    made, runs = periods
    last = runs[-1]
    assert last.handle().task.labels == ("no", "yes", "alpha", "zero", "beta")
    assert last.info["continual"]["periods"] == 3
    for run, source in zip(runs, ("one.csv", "two.csv", "three.csv"), strict=True):
        assert accuracy(last, made, source) == accuracy(run, made, source) > 0.6  # nothing is forgotten


def test_an_old_answer_is_the_old_adapters_own(periods: tuple[Project, list[Run]]) -> None:
    made, runs = periods
    for before, after in ((0, 1), (0, 2), (1, 2)):
        old, new = runs[before].handle(), runs[after].handle()
        texts = texts_of(made, ("one.csv", "two.csv")[before])
        router = new.engine.model  # type: ignore[union-attr]
        _, vectors = new.predict_with_vectors(texts)
        import torch

        mine = (router.nearest(torch.from_numpy(vectors)) == before).numpy()
        assert mine.mean() > 0.9
        known = len(old.task.labels)
        found = new.logits(texts)
        assert np.allclose(found[mine, :known], old.logits(texts)[mine], atol=1e-5)
        assert (found[mine, known:] < found[mine, :known].min(axis=1, keepdims=True) - 9).all()


def test_earlier_adapters_are_handed_on_unchanged(periods: tuple[Project, list[Run]]) -> None:
    _, runs = periods
    second, third = runs[1].model_path, runs[2].model_path
    assert (third / "periods" / "1.safetensors").exists() is False  # the first is the frozen model itself
    assert (third / "periods" / "2.safetensors").read_bytes() == (second / "adapter.safetensors").read_bytes()
    for folder in (second, third):
        base = folder / "base" / "model.safetensors"
        assert base.read_bytes() == (runs[0].model_path / "model.safetensors").read_bytes()


def test_the_first_period_may_be_an_adapter_too(periods: tuple[Project, list[Run]]) -> None:
    made, _ = periods
    first = made.tune(made.config("one.csv", APART, MORE))
    second = made.tune(made.config("two.csv", APART, MORE, model=first.id, adapters=True))
    assert accuracy(second, made, "one.csv") == accuracy(first, made, "one.csv")
    base = second.model_path / "base" / "model.safetensors"
    assert base.read_bytes() == (first.model_path / "base" / "model.safetensors").read_bytes()


def test_an_adapter_on_a_tuned_model_with_new_classes_opens_as_it_was(
    periods: tuple[Project, list[Run]],
) -> None:
    made, _ = periods
    plain = made.config("one.csv", training={"epochs": 1})
    pooled = plain.model.model_copy(update={"pooling": "mean"})
    old = made.tune(plain.model_copy(update={"model": pooled}))
    run = made.tune(made.config("two.csv", HOULSBY, {"epochs": 3}, model=old.id, replay=0))
    dev, handle = made.snapshot(run.config).split("dev"), run.handle()
    found = handle.task.metrics(dev.labels, handle.scores(dev.inputs))
    assert found["macro_f1"] == pytest.approx(run.info["best_dev"]["macro_f1"])


def test_other_forms_are_refused(periods: tuple[Project, list[Run]], tmp_path: Path) -> None:
    from tuneloop.inference.export import export_form

    with pytest.raises(ModelError, match="cannot be exported as onnx-int8"):
        export_form(periods[1][-1].model_path, "onnx-int8", tmp_path)


@pytest.mark.parametrize(
    ("method", "model", "message"),
    [
        ("full", {}, "needs a method that leaves an adapter"),
        (APART, {"max_tokens": 20}, "of up to 16 tokens"),
    ],
)
def test_what_could_not_be_routed_is_refused(
    periods: tuple[Project, list[Run]], method: Any, model: dict[str, Any], message: str
) -> None:
    made, runs = periods
    config = made.config("two.csv", method, model=runs[0].id, adapters=True)
    config = config.model_copy(update={"model": config.model.model_copy(update=model)})
    with pytest.raises(ConfigError, match=message):
        made.tune(config)


def test_adapters_and_what_holds_one_model_are_not_mixed() -> None:
    with pytest.raises(ConfigError, match=r"continual\.ewc has nothing to hold"):
        parse_config({"data": {"source": "x.csv"}, "continual": {"model": "m-1", "adapters": True, "ewc": 1.0}})
    assert (
        parse_config({"data": {"source": "x.csv"}, "continual": {"model": "m-1", "adapters": True}}).continual.replay
        == 0
    )


@pytest.fixture(scope="module")
def release(periods: tuple[Project, list[Run]]) -> Any:
    """The model after its second period."""
    return tl.release(periods[1][1], quiet=True)


def test_it_is_released_and_answers_over_http_as_it_was_evaluated(
    periods: tuple[Project, list[Run]], release: Any
) -> None:
    made, runs = periods
    assert set(release.info["forms"]) == {"torch-fp32", "torch-bf16"}  # by default all are tried
    assert release.info["served"]["agreement"] == 1 and release.info["apart"]
    texts = texts_of(made, "two.csv")
    opened = tl.load(release.id, workspace=made.workspace.root)
    assert [each.label for each in opened.predict(texts)] == [each.label for each in runs[1].handle().predict(texts)]
    with pytest.raises(ModelError, match="looks into the model"):
        explain(opened, texts[0], method="integrated_gradients")


def test_an_update_adds_a_period(periods: tuple[Project, list[Run]], release: Any) -> None:
    made, _ = periods
    config = made.config("three.csv", APART, {"epochs": 1}, model=release.id, adapters=True)
    found = tl.update(release, data=made.folder / "three.csv", config=config, steps=("full", "adapter"), quiet=True)
    full, adapter = found["tried"]
    assert "leaves an adapter" in full["refused"]
    assert open_run(adapter["run"], made.workspace).info["continual"]["periods"] == 3
