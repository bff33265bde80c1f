"""Zero-shot by entailment: the answers are those of the model for natural language inference itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.token_cache import cached_tokens
from tuneloop.methods import create_method
from tuneloop.models.entailment import load_entailment
from tuneloop.models.forward import predict_logits
from tuneloop.models.layouts import HypothesisTokenizer
from tuneloop.tasks import create_task
from tuneloop.training.run import Run, tune

CLASSES = ["contradiction", "entailment", "neutral"]
SENTENCES = {"yes": "good", "no": "bad"}
TEXTS = ["good a b", "bad", "c c c good bad d"]
SINGLE = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
SEVERAL = create_task(TaskConfig(type="multilabel"), {"labels": ["no", "yes"]})


@dataclass
class Inference:
    """Texts, and sentences about them that are true, false or beside the point."""

    hash: str = "inference"
    labels = CLASSES

    def split(self, name: str) -> Examples:
        random, texts, pairs, labels = np.random.default_rng(len(name)), [], [], []
        for _ in range({"train": 600, "dev": 60}.get(name, 9)):
            said, sentence = random.choice(["good", "bad"]), str(random.choice(["good", "bad", "c"]))
            texts.append(
                " ".join(random.permutation([*random.choice([*"abdefghijklmno"], random.integers(1, 4)), *[said] * 3]))
            )
            pairs.append(sentence)
            labels.append("neutral" if sentence == "c" else CLASSES[int(said == sentence)])
        return Examples([str(row) for row in range(len(texts))], texts, labels, pairs)


@pytest.fixture(scope="module")
def nli(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder for natural language inference about good and bad."""
    training = {"epochs": 15, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    data = {"source": "x.csv", "columns": {"pair": "pair"}}
    model = {"source": str(tiny_model), "max_tokens": 16}
    settings = parse_config({"data": data, "task": "pair", "training": training, "model": model})
    run = tune(settings, snapshot=Inference(), workspace=Workspace(tmp_path_factory.mktemp("nli")), quiet=True)
    assert run.info["best_dev"]["macro_f1"] > 0.9
    return run.model_path


def run_config(source: Path, task: str, **options: Any) -> RunConfig:
    model = {"source": str(source), "max_tokens": 16}
    method = {"type": "zero_shot", "by": "entailment"} | options
    plain = {"data": {"source": "x.csv"}, "task": task, "method": method, "model": model}
    return parse_config(plain | {"training": {"precision": "fp32", "report_to": []}})


@pytest.fixture(scope="module")
def run(nli: Path, made_up: Any, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on the made-up texts."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    settings = run_config(nli, "classification", hypotheses=SENTENCES)
    return tune(settings, snapshot=made_up("classification"), workspace=workspace, quiet=True)


def theirs(folder: Path, texts: list[str]) -> Any:
    """Logits of transformers alone for each text with each sentence, (texts, classes, 3)."""
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    asked = {"return_tensors": "pt", "return_token_type_ids": True}
    with torch.inference_mode():
        rows = [
            [model(**tokenizer(text, SENTENCES[label], **asked)).logits[0] for label in ("no", "yes")] for text in texts
        ]
    return torch.stack([torch.stack(row) for row in rows])


@pytest.mark.parametrize("task", [SINGLE, SEVERAL], ids=["single", "several"])
def test_the_probabilities_are_those_of_yin(nli: Path, task: Any) -> None:
    method = create_method(MethodConfig(type="zero_shot", by="entailment", hypotheses=SENTENCES))
    model = method.load(nli, task, pooling="auto", trust_remote_code=False)
    tokens = method.tokenizer(nli, task, 16).encode(TEXTS)
    ours = task.scores(predict_logits(model, tokens, "fp32"))
    logits = theirs(nli, TEXTS)
    wanted = logits[:, :, 1].softmax(dim=1) if task is SINGLE else logits[:, :, :2].softmax(dim=2)[:, :, 1]
    assert ours == pytest.approx(wanted.numpy(), abs=1e-5)


def test_it_beats_the_majority_without_a_label(run: Run, made_up: Any) -> None:
    test = made_up("classification").split("test")
    handle = run.handle()
    assert handle.task.metrics(test.labels, handle.scores(test.inputs))["macro_f1"] > 0.9
    answers = handle.predict(TEXTS[:2])
    assert [each.label for each in answers] == ["yes", "no"]


def test_several_classes_are_judged_each_by_itself(nli: Path, made_up: Any, tmp_path: Path) -> None:
    sentences = {"kind": "good", "warm": "good", "cold": "bad"}
    settings = run_config(nli, "multilabel", hypotheses=sentences)
    run = tune(settings, snapshot=made_up("multilabel"), workspace=Workspace(tmp_path), quiet=True)
    test = made_up("multilabel").split("test")
    handle = run.handle()
    assert handle.task.metrics(test.labels, handle.scores(test.inputs))["micro_f1"] > 0.9


def test_the_temperature_alone_is_learnt(run: Run, nli: Path) -> None:
    from safetensors.torch import load_file

    from tuneloop.models.load import APART

    learnt, before = load_file(run.model_path / APART), load_file(nli / "model.safetensors")
    assert set(learnt) == {"classifier.weight", "classifier.bias"}
    wanted = before["classifier.weight"][1:2] / run.info["temperature"]
    assert learnt["classifier.weight"].numpy() == pytest.approx(wanted.numpy(), abs=1e-6)
    assert json.loads((run.model_path / "base" / "config.json").read_text())["id2label"]["1"] == "entailment"


@pytest.mark.parametrize("engine", ["onnx-fp32", pytest.param("openvino-bf16", marks=pytest.mark.long)])
def test_every_form_gives_the_same_answers(run: Run, made_up: Any, tmp_path: Path, engine: str) -> None:
    pytest.importorskip("onnxruntime" if engine.startswith("onnx") else "openvino")
    from tuneloop.inference.export import export_form
    from tuneloop.inference.predictor import open_predictor

    inputs = made_up("classification").split("test").inputs
    export_form(run.model_path, engine, tmp_path)
    ours = open_predictor(run.model_path, engine=engine, form_folder=tmp_path).scores(inputs)
    assert ours == pytest.approx(run.handle().scores(inputs), abs=1e-4 if engine == "onnx-fp32" else 0.05)


def test_a_long_text_is_cut_and_its_sentence_never(nli: Path, tmp_path: Path) -> None:
    reader = HypothesisTokenizer(nli, 12, ["good c c", "bad"])
    tokens = cached_tokens(reader, ["a " * 20, "b"], tmp_path)
    assert tokens.truncated.tolist() == [True, True, False, False]
    first = tokens.ids[tokens.offsets[0] : tokens.offsets[1]].tolist()
    assert len(first) == 12 and first[-4:] == [4, 8, 8, 3]
    again = cached_tokens(reader, ["a " * 20, "b"], tmp_path)
    assert (again.columns, again.bound, again.owners.tolist()) == (2, True, [0, 0, 1, 1])
    assert again.of_inputs([1]).columns == 2
    with pytest.raises(ConfigError, match="takes 14 tokens of 16"):
        HypothesisTokenizer(nli, 16, ["a " * 11])


def test_a_text_is_counted_and_cut_as_one(run: Run) -> None:
    handle = run.handle()
    assert handle.count_tokens(["a b"]).tolist() == [12]
    assert handle.truncated(["a " * 20, "b"]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("names", "options", "complaint"),
    [
        (["a", "b", "c"], {}, "0 classes called entail.*a, b, c"),
        (["entailment", "neutral", "other"], {"against": True}, "0 classes called contra"),
        (["entailed", "entailment", "c"], {}, "2 classes called entail"),
    ],
)
def test_a_model_that_does_not_name_its_classes_is_refused(
    nli: Path, tmp_path: Path, names: list[str], options: Any, complaint: str
) -> None:
    folder = shutil.copytree(nli, tmp_path / "named")
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: n for n, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=complaint):
        load_entailment(folder, **options)


def test_the_class_may_be_named(nli: Path) -> None:
    by_name, found = load_entailment(nli, named="Neutral"), load_entailment(nli)
    assert not torch.equal(by_name.classifier.weight, found.classifier.weight)


def test_a_model_without_a_head_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="its head is missing"):
        load_entailment(tiny_model)


@pytest.mark.parametrize(
    ("options", "task", "complaint"),
    [
        ({}, create_task(TaskConfig(type="regression"), {}), "classes of single texts"),
        ({}, create_task(TaskConfig(type="pair"), {"labels": ["no", "yes"]}), "classes of single texts"),
        ({"hypotheses": {"maybe": "a"}}, SINGLE, "names the class maybe"),
    ],
)
def test_what_cannot_be_judged_is_refused(options: dict[str, Any], task: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        create_method(MethodConfig(type="zero_shot", by="entailment", **options)).check(task)


def test_a_hypothesis_must_name_its_class() -> None:
    with pytest.raises(ConfigError, match="must hold"):
        create_method(MethodConfig(type="zero_shot", by="entailment", hypothesis="It is good."))
