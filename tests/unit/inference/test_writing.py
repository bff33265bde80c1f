"""Answers that are written: the same alone and in company, likelihoods as transformers has them, releases proven."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import tuneloop as tl
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.core.project import base_of
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.writing import Writer
from tuneloop.serve.slot import open_model
from tuneloop.training.prepare import prepare
from tuneloop.training.run import Run, tune


@pytest.fixture(scope="module")
def settings(chat_model: Path) -> dict:
    return {
        "name": "talk",
        "data": {"source": "x.csv"},
        "task": {"type": "generation", "max_new_tokens": 5},
        "model": {"source": str(chat_model), "max_tokens": 48},
        "training": {"epochs": 8, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []},
    }


@pytest.fixture(scope="module")
def run(settings: dict, made_up: type, tmp_path_factory: pytest.TempPathFactory) -> Run:
    workspace = Workspace(tmp_path_factory.mktemp("writing"))
    return tune(parse_config(settings), snapshot=made_up("generation"), workspace=workspace, quiet=True)


@pytest.fixture
def writer(run: Run) -> Writer:
    return open_predictor(run.model_path)


def test_an_answer_is_the_same_alone_and_beside_others(writer: Writer, made_up: type) -> None:
    prompts = [*made_up("generation").split("test").inputs[:12], "a", "good " * 20]
    together = writer.scores(prompts)
    assert list(together) == [writer.scores([prompt])[0] for prompt in prompts]
    assert {each.text for each in together} >= {"good a", "bad b"}


def test_an_answer_is_that_of_transformers(writer: Writer, run: Run) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = (each.from_pretrained(run.model_path) for each in (AutoModelForCausalLM, AutoTokenizer))
    talk = [{"role": "user", "content": "a good b"}]
    asked = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    ids = model.generate(**{name: asked[name] for name in ("input_ids", "attention_mask")}, max_new_tokens=5)
    theirs = tokenizer.decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    assert writer.predict(["a good b"])[0].label == theirs


def test_a_likelihood_is_the_sum_over_the_answer(writer: Writer) -> None:
    prompts, labels = ["a good b", "c bad"], ["good a", "b b b"]
    sums, counts = writer.likelihoods(prompts, labels)
    tokens = writer.tokenizer.encode(list(zip(prompts, labels, strict=True)))
    for row in range(2):
        piece = slice(tokens.offsets[row], tokens.offsets[row + 1])
        ids, learnt = torch.from_numpy(tokens.ids[piece]).long(), tokens.type_ids[piece] == 1
        with torch.inference_mode():
            chances = writer.engine.model(input_ids=ids[None]).logits[0].log_softmax(dim=-1)
        expected = sum(float(chances[place - 1, ids[place]]) for place in np.flatnonzero(learnt))
        assert sums[row] == pytest.approx(expected, rel=1e-4)
        assert counts[row] == learnt.sum() == len(labels[row].split()) + 1
    assert writer.scores(prompts, labels)[0].log_likelihood == pytest.approx(float(sums[0]), rel=1e-5)


def test_training_has_made_the_answers_likelier(writer: Writer, settings: dict, made_up: type) -> None:
    from tuneloop.inference.writing import open_untuned

    test = made_up("generation").split("test")
    untuned = open_untuned(parse_config(settings), task=writer.task, base=Path.cwd())
    before, after = (each.likelihoods(test.inputs, test.labels)[0].sum() for each in (untuned, writer))
    assert after / before < 0.2


def test_the_model_before_tuning_lies_where_training_found_it(
    settings: dict, chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: type
) -> None:
    pytest.importorskip("sacrebleu")
    shutil.copytree(chat_model, tmp_path / "here" / "models" / "chat")
    train = made_up("generation").split("train")
    rows = [{"text": text, "label": label} for text, label in zip(train.texts, train.labels, strict=True)]
    (tmp_path / "here" / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)))
    plain = settings | {
        "data": {"source": "talks.jsonl", "clean": {"duplicates": "exact"}},
        "model": settings["model"] | {"source": "models/chat"},
        "training": settings["training"] | {"epochs": 1},
        "workspace": "../work/of/mine",
    }
    (tmp_path / "here" / "tuneloop.yaml").write_text(json.dumps(plain))
    monkeypatch.chdir(tmp_path)
    found = tl.evaluate(tl.tune("here/tuneloop.yaml", quiet=True), quiet=True)
    assert found["baselines"]["base"]["perplexity"]["value"] > found["metrics"]["perplexity"]["value"]


@pytest.mark.parametrize(
    ("asked", "root", "base"),
    [
        (".tuneloop", "/a/b/.tuneloop", "/a/b"),
        ("x/ws", "/a/x/ws", "/a"),
        (".", "/a/b", "/a/b"),
        (".tuneloop", "/copied/elsewhere", "/copied"),
    ],
)
def test_the_folder_of_a_configuration_is_told_from_its_workspace(asked: str, root: str, base: str) -> None:
    config = parse_config({"data": {"source": "x"}, "workspace": asked})
    assert base_of(config, Path(root)) == Path(base)


def test_a_loss_is_divided_by_what_a_text_of_train_has_on_average(settings: dict, made_up: type) -> None:
    ready = prepare(parse_config(settings), made_up("generation"))
    before = ready.task.mean_tokens
    assert before == 3  # two words and the end
    ready.dev.targets(ready.task)
    ready.task.aligned(["a " * 9], ready.task.tokenizer(ready.source, 48).encode([("a", "a " * 9)]), ["a"])
    assert ready.task.mean_tokens == before


def test_a_gap_between_epochs_changes_nothing(settings: dict, run: Run, made_up: type, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    again = tune(parse_config(settings), snapshot=made_up("generation"), workspace=workspace, quiet=True)
    one, other = ((each.model_path / "model.safetensors").read_bytes() for each in (run, again))
    assert one == other


def test_an_encoder_does_not_write(settings: dict, tiny_model: Path, made_up: type, tmp_path: Path) -> None:
    marks = json.loads((tiny_model / "tokenizer_config.json").read_text())
    folder = tmp_path / "encoder"
    folder.mkdir()
    for file in tiny_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(marks | {"eos_token": "[SEP]"}))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    plain = settings | {"model": {"source": str(folder), "max_tokens": 32}}
    with pytest.raises(ModelError, match="does not write"):
        tune(parse_config(plain), snapshot=made_up("generation"), workspace=Workspace(tmp_path / "w"), quiet=True)


def test_only_forms_of_torch_write(run: Run) -> None:
    with pytest.raises(ConfigError, match="does not write texts"):
        open_predictor(run.model_path, engine="openvino-bf16")


def test_the_whole_way(settings: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: type) -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rapidfuzz")
    monkeypatch.chdir(tmp_path)
    rows = [made_up("generation").split(name) for name in ("train", "dev", "test")]
    talks = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]}
        for part in rows
        for text, label in zip(part.texts, part.labels, strict=True)
    ]
    Path("talks.jsonl").write_text("\n".join(map(json.dumps, talks)))
    plain = settings | {
        "data": {"source": "talks.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 30, "test": 40}}
    }
    project = tl.open_project({**plain, "method": "lora"})
    finished = tl.tune(project, quiet=True)
    found = tl.evaluate(finished, quiet=True)
    assert found["metrics"]["perplexity"]["value"] < found["baselines"]["base"]["perplexity"]["value"] / 2
    assert "before" in Path(found["report"]).read_text().lower()
    made = tl.release(finished, quiet=True)
    assert set(made.info["forms"]) == {"torch-fp32", "torch-bf16"}
    assert made.info["served"]["agreement"] == 1 and made.info["served"]["loss"] == 0
    answers = made.predict(["a good b", [{"role": "system", "content": "a"}, {"role": "user", "content": "c bad"}]])
    assert all(isinstance(answer.label, str) for answer in answers)
    assert "text-generation" in (made.path / "README.md").read_text()
    served = open_model(made.id, workspace=Workspace(made.path.parents[1]), engine=None, max_batch_tokens=16)
    assert served.shares_steps and served.handle.engine.max_batch_tokens > 16
    served.close()
