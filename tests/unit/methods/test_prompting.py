"""Prompt learning and zero-shot: the answers are those of the language model itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.methods import create_method
from tuneloop.methods.split import Split
from tuneloop.methods.verbalizer import take_prior_away
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.forward import predict_logits, to_tensors
from tuneloop.models.template import TemplateTokenizer
from tuneloop.tasks import create_task
from tuneloop.training.run import tune

TASK = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
WORDS = {"no": ["bad"], "yes": ["good", "a"]}
LONGER = {"no": ["bad"], "yes": ["good b", "a"]}
TEXTS = ["good a b", "bad", "c c c good bad d"]
GOOD, BAD, A, B, MASK = 4, 5, 6, 7, 21


def method(kind: str, **options: Any) -> Any:
    return create_method(MethodConfig(type=kind, **options))


@pytest.fixture
def roberta(tiny_model: Path, tmp_path: Path) -> Path:
    """A RoBERTa with the same tokenizer, whose head lies elsewhere."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    folder = tmp_path / "roberta"
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    torch.manual_seed(0)
    config = RobertaConfig(vocab_size=22, max_position_embeddings=40, pad_token_id=0, initializer_range=0.3, **shape)
    RobertaForMaskedLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder / name)
    return folder


@pytest.mark.parametrize("words", [WORDS, LONGER])
@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt"])
def test_the_logits_are_those_of_the_words_in_the_gap(tiny_model: Path, request: Any, kind: str, words: Any) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    folder = tiny_model if kind == "bert" else request.getfixturevalue(kind)
    template = "{text} d {mask}"
    chosen = method("pet", template=template, verbalizer=words)
    model = chosen.load(folder, TASK, pooling="auto", trust_remote_code=False)
    tokens = TemplateTokenizer(folder, 24, template).encode(TEXTS)
    ours = predict_logits(model, tokens, "fp32")
    whole = (AutoModelForCausalLM if kind == "gpt" else AutoModelForMaskedLM).from_pretrained(folder).eval()
    for row in range(len(TEXTS)):
        ids = torch.from_numpy(tokens.ids[tokens.offsets[row] : tokens.offsets[row + 1]].astype(np.int64))
        with torch.inference_mode():
            logits = whole(input_ids=ids[None]).logits[0]
        gap = logits[-1] if kind == "gpt" else logits[int((ids == 21).nonzero())]
        # a word of two tokens counts once; one that is written from left to right begins with its first
        first = (gap[GOOD] + gap[B]) / 2 if words is LONGER and kind != "gpt" else gap[GOOD]
        theirs = [float(gap[BAD]), float((first + gap[A]) / 2)]
        assert ours[row] == pytest.approx(theirs, abs=1e-5)


def test_the_gap_is_read_wherever_it_is(tiny_model: Path) -> None:
    chosen = method("pet", template="{text} {mask}", verbalizer=WORDS)
    model = chosen.load(tiny_model, TASK, pooling="auto", trust_remote_code=False)
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(TEXTS)
    before = predict_logits(model, tokens, "fp32")
    assert predict_logits(read_first_token_only(model), tokens, "fp32") == pytest.approx(before, abs=1e-6)
    assert np.abs(before[0] - before[1]).max() > 1e-3


def test_a_mask_that_somebody_has_written_is_no_gap(tiny_model: Path) -> None:
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(["what is [MASK] good"])
    assert tokens.ids.tolist().count(MASK) == 1


@pytest.mark.parametrize("words", [["unheard"], ["good", "unheard"]])
def test_a_word_that_the_model_does_not_know_is_refused(tiny_model: Path, words: list[str]) -> None:
    chosen = method("pet", template="{text} {mask}", verbalizer={"no": "bad", "yes": words})
    with pytest.raises(ConfigError, match="do not tell the class yes"):
        chosen.load(tiny_model, TASK, pooling="auto", trust_remote_code=False)


def test_classes_that_exclude_no_other_are_calibrated_each_for_itself(tiny_model: Path) -> None:
    several = create_task(TaskConfig(type="multilabel"), {"labels": ["no", "yes"]})
    chosen = method("pet", template="{text} {mask}", verbalizer=WORDS)
    model = chosen.load(tiny_model, several, pooling="auto", trust_remote_code=False)
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(TEXTS)
    chosen.begin(model, several, Split(tokens, [("no",)] * 3), total=3, per_epoch=1, precision="fp32")
    assert predict_logits(model, tokens, "fp32").mean(axis=0) == pytest.approx([0, 0], abs=1e-5)


def test_no_weight_is_left_without_a_gradient(tiny_model: Path) -> None:
    chosen = method("pet", template="{text} {mask}", verbalizer=WORDS)
    model = chosen.load(tiny_model, TASK, pooling="auto", trust_remote_code=False)
    chosen.prepare(model)
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(TEXTS)
    model(**to_tensors(model, tokens, np.arange(3))).logits.square().sum().backward()
    assert [name for name, each in model.named_parameters() if each.requires_grad and each.grad is None] == []


def test_calibrated_no_class_is_likelier_than_another_over_all_texts(tiny_model: Path) -> None:
    chosen = method("pet", template="{text} {mask}", verbalizer=WORDS)
    model = chosen.load(tiny_model, TASK, pooling="auto", trust_remote_code=False)
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(TEXTS)
    before = torch.from_numpy(predict_logits(model, tokens, "fp32")).log_softmax(dim=1).mean(dim=0)
    assert float(before.max() - before.min()) > 0.01
    take_prior_away(model, tokens, "fp32")
    logits = torch.from_numpy(predict_logits(model, tokens, "fp32"))
    means = logits.mean(dim=0)
    assert float(means.max() - means.min()) < 1e-5


@pytest.mark.parametrize("calibrate", [True, False])
def test_prompt_learning_starts_with_no_class_likelier_than_another_if_asked_for(
    tiny_model: Path, calibrate: bool
) -> None:
    chosen = method("pet", template="{text} {mask}", verbalizer=WORDS, calibrate=calibrate)
    model = chosen.load(tiny_model, TASK, pooling="auto", trust_remote_code=False)
    tokens = TemplateTokenizer(tiny_model, 24, "{text} {mask}").encode(TEXTS)
    chosen.begin(model, TASK, Split(tokens, ["no"] * 3), total=3, per_epoch=1, precision="fp32")
    means = predict_logits(model, tokens, "fp32").mean(axis=0)
    assert (float(np.ptp(means)) < 1e-5) == calibrate


def run_config(source: Path, kind: str, **options: Any) -> RunConfig:
    training = {"epochs": 3, "batch_size": 8, "precision": "fp32", "report_to": []}
    model = {"source": str(source), "max_tokens": 16}
    return parse_config(
        {"data": {"source": "x.csv"}, "method": {"type": kind, **options}, "model": model, "training": training}
    )


def test_zero_shot_by_prompt_changes_nothing_but_the_bias(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    from tuneloop.models.load import APART

    settings = run_config(tiny_model, "zero_shot", by="prompt", template="{text} {mask}", verbalizer=WORDS)
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    learnt = load_file(run.model_path / APART)
    assert set(learnt) == {"classifier.weight", "classifier.bias"}
    embeddings = load_file(tiny_model / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    directions = torch.nn.functional.normalize(learnt["classifier.weight"])
    wanted = torch.nn.functional.normalize(torch.stack([embeddings[BAD], embeddings[[GOOD, A]].mean(dim=0)]))
    assert directions.numpy() == pytest.approx(wanted.numpy(), abs=1e-5)
    scores = run.handle().scores(made_up("classification").split("test").inputs)
    assert scores.shape == (60, 2) and np.ptp(scores[:, 0]) > 0.01


def test_a_release_of_a_prompted_model_answers_in_every_form(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from tuneloop.inference.export import export_form
    from tuneloop.inference.predictor import open_predictor

    settings = run_config(tiny_model, "pet", template="{text} {mask}", verbalizer=WORDS)
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    inputs = made_up("classification").split("test").inputs
    export_form(run.model_path, "onnx-fp32", run.model_path)
    theirs = open_predictor(run.model_path, engine="onnx-fp32").scores(inputs)
    assert theirs == pytest.approx(run.handle().scores(inputs), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "task", "complaint"),
    [
        ({"verbalizer": {"maybe": "a"}}, TASK, "names the class maybe"),
        ({}, create_task(TaskConfig(type="regression"), {}), "needs classes"),
        ({}, create_task(TaskConfig(type="pair"), {"labels": ["no", "yes"]}), "second text"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], task: Any, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        method("pet", **options).check(task)


@pytest.mark.parametrize(
    "options",
    [{"verbalizer": {"no": "bad"}}, {"by": "prompt", "descriptions": {"no": "x"}}, {"hypothesis": "{label}!"}],
)
def test_an_option_that_would_not_be_read_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is read with by:"):
        method("zero_shot", **options)


def test_classes_without_words_of_their_own_are_refused(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="do not tell the class"):  # both names are unknown words
        method("pet", template="{text} {mask}").load(tiny_model, TASK, pooling="auto", trust_remote_code=False)


def test_an_encoder_that_never_guessed_words_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModel

    folder = tmp_path / "headless"
    AutoModel.from_pretrained(tiny_model).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder / name)
    with pytest.raises(ModelError, match="not trained to guess words"):
        method("pet", template="{text} {mask}", verbalizer=WORDS).load(
            folder, TASK, pooling="auto", trust_remote_code=False
        )
