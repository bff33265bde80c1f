"""A student answers as its teacher does, with fewer layers, and says so when it has none to learn from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, DataError, ModelError, TrainingError
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.inference.predictor import open_predictor
from tuneloop.methods import create_method
from tuneloop.methods.split import Split
from tuneloop.models.forward import predict_logits
from tuneloop.models.pooling import add_mean_layer, mean_layer
from tuneloop.tasks import create_task
from tuneloop.training import sources
from tuneloop.training.plan import plan
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune


def bert(layers: int = 6) -> Any:
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForSequenceClassification(BertConfig(vocab_size=30, num_labels=3, **shape)).eval()


def config(source: Path, task: str = "classification", *, epochs: float = 30, **options: object) -> RunConfig:
    training = {"epochs": epochs, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    plain = {"data": {"source": "x.csv"}, "task": task, "method": {"type": "distill"} | options}
    return parse_config(plain | {"training": training, "model": {"source": str(source), "max_tokens": 16}})


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"layers": 3}, [0, 2, 5]), ({"layers": 3, "pick": "first"}, [0, 1, 2]), ({"layers": 1}, [0]), ({}, range(6))],
)
@pytest.mark.parametrize("mean", [False, True])
def test_the_student_is_made_of_layers_of_the_model(options: dict[str, Any], kept: list[int], mean: bool) -> None:
    whole, model = bert(), bert()
    if mean:
        assert add_mean_layer(model)
    create_method(MethodConfig(type="distill", teacher="x", **options)).prepare(model)
    layers = list(model.bert.encoder.layer)
    assert (layers[-1] is mean_layer(model)) == mean
    for layer, number in zip(layers, kept, strict=not mean):
        for ours, theirs in zip(layer.parameters(), whole.bert.encoder.layer[number].parameters(), strict=True):
            assert torch.equal(ours, theirs)
    assert model.config.num_hidden_layers == len(layers) == len(kept) + mean


def test_more_layers_than_there_are_is_one_clear_error() -> None:
    with pytest.raises(ModelError, match="cannot have 7 layers"):
        create_method(MethodConfig(type="distill", teacher="x", layers=7)).prepare(bert())


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_the_equation(task: str, alpha: float) -> None:
    labels = {"regression": [2.0, 5.0, 1.0], "multilabel": [("a",), (), ("b", "c")]}.get(task, ["a", "c", "b"])
    known = create_task(TaskConfig(type=task), {"labels": [] if task == "regression" else ["a", "b", "c"]})
    known.learn(labels)
    method = create_method(MethodConfig(type="distill", teacher="x", alpha=alpha, temperature=3.0))
    model = bert()
    model.classifier = torch.nn.Linear(16, known.outputs)
    batch = {"input_ids": torch.arange(6, 21).reshape(3, 5)}
    teacher = np.random.default_rng(0).normal(size=(5, known.outputs)).astype(np.float32) * 2
    rows, targets = np.array([4, 0, 2]), torch.from_numpy(known.targets(labels))
    method.begin(model, known, Split(None, labels, teacher=teacher), total=1, per_epoch=1, precision="fp32")
    found = method.loss(model, known, batch, targets, rows).detach()
    logits, soft = model(**batch).logits.detach(), torch.from_numpy(teacher)[rows]
    if task == "classification":  # Hinton: cross-entropy with soft targets, less the entropy of the targets
        at = (soft / 3).softmax(dim=1)
        apart = 9 * (at * (at.log() - (logits / 3).log_softmax(dim=1))).sum(dim=1)
    elif task == "multilabel":
        one = torch.distributions.Bernoulli(logits=soft / 3)
        apart = 9 * torch.distributions.kl_divergence(one, torch.distributions.Bernoulli(logits=logits / 3)).mean(dim=1)
    else:
        apart = ((logits - soft) ** 2)[:, 0]
    expected = (1 - alpha) * known.loss(logits, targets) + alpha * apart
    assert torch.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_students_answers_move_to_the_teachers(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, task: str
) -> None:
    """Also where the labels, which count nothing here, say something else."""
    teacher, data = open_predictor(Path(options_of("distill", task)["teacher"])), made_up(task)
    inputs = data.split("test").inputs
    settings = config(tiny_model, task, teacher=options_of("distill", task)["teacher"], alpha=1.0)
    start = prepare(settings, data)
    before = start.task.unscale(predict_logits(start.model, start.train.tokens, "fp32"))

    class Turned(type(data)):  # type: ignore[misc]
        def split(self, name: str) -> Examples:
            found = super().split(name)
            if name != "train":
                return found
            return Examples(found.ids, found.texts, found.labels[1:] + found.labels[:1], found.pairs)

    run = tune(settings, snapshot=Turned(task), workspace=Workspace(tmp_path), quiet=True)
    theirs, ours = teacher.scores(inputs), run.handle().scores(inputs)
    spread = float(np.abs(theirs - theirs.mean(axis=0)).mean())
    far = float(np.abs(start.task.scores(before).mean() - theirs).mean())
    assert float(np.abs(ours - theirs).mean()) < 0.25 * min(spread, far)


def test_a_teacher_with_its_classes_in_another_order_is_read_by_their_names(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path
) -> None:
    found = options_of("distill", "classification")["teacher"]
    folder = tmp_path / "turned"
    shutil.copytree(found, folder)
    written = json.loads((folder / "tuneloop.json").read_text())
    written["state"]["labels"].reverse()
    (folder / "tuneloop.json").write_text(json.dumps(written))
    first, second = (
        prepare(config(tiny_model, teacher=str(each)), made_up("classification")).train.teacher
        for each in (found, folder)
    )
    assert np.array_equal(first[:, ::-1], second)


@pytest.mark.parametrize("place", ["releases/mood-1", "runs/mood-20260101-000000-abcd/model"])
def test_a_teacher_is_found_by_its_name_in_the_workspace(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, place: str
) -> None:
    shutil.copytree(options_of("distill", "classification")["teacher"], tmp_path / place)
    settings = config(tiny_model, teacher=place.split("/")[1])
    ready = prepare(settings, made_up("classification"), workspace=Workspace(tmp_path))
    assert ready.train.teacher.shape == (90, 2)


def test_no_teacher_or_one_of_another_task_is_one_clear_error(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path
) -> None:
    data, place = made_up("classification"), Workspace(tmp_path)
    with pytest.raises(ConfigError, match="no teacher called 'mood-9'"):
        tune(config(tiny_model, teacher="mood-9"), snapshot=data, workspace=place, quiet=True)
    other = options_of("distill", "multilabel")["teacher"]
    with pytest.raises(ConfigError, match="answers another question"):
        tune(config(tiny_model, teacher=other), snapshot=data, workspace=place, quiet=True)
    assert not place.runs.exists()


def test_the_teacher_answers_once_and_a_changed_one_anew(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(sources, "open_predictor", lambda path: opened.append(path) or open_predictor(path))
    folder, data = tmp_path / "teacher", made_up("classification")
    shutil.copytree(options_of("distill", "classification")["teacher"], folder)
    ready = [prepare(config(tiny_model, teacher=str(folder)), data, cache=tmp_path / "cache") for _ in range(2)]
    assert len(opened) == 1
    assert np.array_equal(*(each.train.teacher for each in ready))
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.bias"] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    again = prepare(config(tiny_model, teacher=str(folder)), data, cache=tmp_path / "cache")
    assert len(opened) == 2
    assert again.train.teacher == pytest.approx(ready[0].train.teacher + 1, abs=1e-5)
    assert again.beside != ready[0].beside


def test_a_run_is_not_resumed_with_another_teacher(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneloop.training import loop

    folder, data, place = tmp_path / "teacher", made_up("classification"), Workspace(tmp_path / "w")
    shutil.copytree(options_of("distill", "classification")["teacher"], folder)
    settings = config(tiny_model, teacher=str(folder), epochs=2)
    settings = settings.model_copy(
        update={"training": settings.training.model_copy(update={"checkpoint_every_steps": 2})}
    )

    def interrupted(step: int, **_: object) -> float:
        if step == 6:
            raise KeyboardInterrupt
        return 1.0

    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tune(settings, snapshot=data, workspace=place, quiet=True)
    text = (folder / "tuneloop.json").read_text()
    (folder / "tuneloop.json").write_text(text + "\n")
    with pytest.raises(TrainingError, match="other data"):
        tune(settings, snapshot=data, workspace=place, resume="latest", quiet=True)
    (folder / "tuneloop.json").write_text(text)
    assert tune(settings, snapshot=data, workspace=place, resume="latest", quiet=True).status == "finished"


def test_more_texts_have_the_teachers_answers_and_none_of_them_is_a_dev_or_test_text(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path
) -> None:
    data = made_up("classification")
    held_out = [text for name in ("train", "dev", "test") for text in data.split(name).texts]
    new = ["good good a", "bad b bad c"]
    lines = [{"text": text} for text in [*held_out, *new, new[0].upper(), held_out[60].upper()]]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, lines)))
    teacher = options_of("distill", "classification")["teacher"]
    settings = config(tiny_model, teacher=teacher, texts="more.jsonl")
    ready = prepare(settings, data, base=tmp_path)
    assert len(ready.train.labels) == len(ready.train.tokens) == len(ready.train.teacher) == 92
    expected = open_predictor(Path(teacher))
    assert ready.train.labels[90:] == [answer.label for answer in expected.predict(new)] == ["yes", "no"]
    assert ready.train.teacher[90:] == pytest.approx(expected.logits(new), abs=1e-5)
    assert plan(settings, snapshot=data, base=tmp_path).train_rows == 92
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, lines[:90])))
    with pytest.raises(DataError, match="already"):
        prepare(settings, data, base=tmp_path)
