"""In-context learning: the prompts are what one would write by hand, and a release writes the same ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.methods import create_method
from tuneloop.models.forward import predict_logits
from tuneloop.models.load import APART
from tuneloop.models.shots import EXAMPLES, Shots, ShotsTokenizer, kept_texts
from tuneloop.tasks import create_task
from tuneloop.training.run import Run, tune

TASK = create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]})
WORDS = {"no": "bad", "yes": "good"}
KNOWN = Shots(("a b c", "a d", "e f g h", "a b", "m n"), ("yes", "no", "no", "yes", "no"), 2)


def reader(
    folder: Path, max_tokens: int, shots: Shots, *, template: str = "{text} o {mask}", **options: Any
) -> ShotsTokenizer:
    options = {"words": WORDS, "separator": "i", "balanced": False} | options
    return ShotsTokenizer(folder, max_tokens, template, **options).showing(shots)


def written(tokenizer: ShotsTokenizer, texts: list[Any]) -> list[str]:
    tokens = tokenizer.encode(texts)
    rows = [tokens.ids[start:end] for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False)]
    return [" ".join(tokenizer._inner.id_to_token(int(number)) for number in row) for row in rows]


def test_the_prompt_is_the_examples_and_then_the_text(gpt: Path, tiny_model: Path) -> None:
    assert written(reader(gpt, 40, KNOWN), ["a b"]) == ["[CLS] a b c o good i a b o good i a b o"]
    assert written(reader(tiny_model, 32, KNOWN), ["h"]) == [
        "[CLS] a b c o good i e f g h o bad i h o [MASK] [SEP]",
    ]
    assert written(reader(gpt, 40, replace(KNOWN, count=0)), ["a b"]) == ["[CLS] a b o"]


def test_the_logits_are_those_of_the_language_model_behind_that_prompt(gpt: Path) -> None:
    from transformers import AutoModelForCausalLM

    chosen = create_method(MethodConfig(type="in_context", template="{text} o {mask}", verbalizer=WORDS))
    model = chosen.load(gpt, TASK, pooling="auto", trust_remote_code=False)
    ours = predict_logits(model, reader(gpt, 40, KNOWN).encode(["a b"]), "fp32")
    vocabulary = reader(gpt, 40, KNOWN)._inner.get_vocab()
    prompt = [vocabulary[word] for word in ["[CLS]", *"abco", "good", *"iabo", "good", *"iabo"]]
    with torch.inference_mode():
        theirs = AutoModelForCausalLM.from_pretrained(gpt).eval()(torch.tensor([prompt])).logits[0, -1]
    assert ours[0] == pytest.approx([float(theirs[vocabulary["bad"]]), float(theirs[vocabulary["good"]])], abs=1e-5)


def test_the_nearest_stand_last_and_no_text_is_its_own_example(gpt: Path) -> None:
    plain = reader(gpt, 40, replace(KNOWN, count=3))
    assert plain.nearest(["a b"]) == [[1, 0, 3]]
    assert plain.nearest(["a b"], apart=True) == [[2, 1, 0]]
    assert reader(gpt, 40, KNOWN, balanced=True).nearest(["a b", "a d"]) == [[1, 3], [3, 1]]


def test_texts_without_words_still_have_examples(gpt: Path) -> None:
    assert reader(gpt, 40, Shots(("?", "!"), ("yes", "no"), 1)).nearest(["a", "..."]) == [[0], [0]]


def test_a_second_text_stands_in_the_examples_too(gpt: Path) -> None:
    shots = Shots((("a b", "c"), ("d", "e")), ("yes", "no"), 1)
    assert written(reader(gpt, 40, shots, template="{text} j {pair} o {mask}"), [("a", "c")]) == [
        "[CLS] a b j c o good i a j c o"
    ]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_room_is_taken_from_the_examples_alone(tiny_model: Path, data: st.DataObject) -> None:
    texts = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40).map(" ".join)
    known = tuple(data.draw(st.lists(texts, min_size=3, max_size=6)))
    labels = tuple(data.draw(st.lists(st.sampled_from(["no", "yes"]), min_size=len(known), max_size=len(known))))
    text, limit = data.draw(texts), data.draw(st.integers(9, 60))
    with_them = reader(tiny_model, limit, Shots(known, labels, data.draw(st.integers(1, 6))))
    without = reader(tiny_model, limit, Shots())
    (long,), (short,) = written(with_them, [text]), written(without, [text])
    assert long.endswith(short.removeprefix("[CLS]"))
    assert len(long.split()) <= limit
    assert with_them.encode([text]).truncated.tolist() == without.encode([text]).truncated.tolist()


def test_long_examples_are_cut_alike_and_left_out_when_nothing_would_be_left(gpt: Path) -> None:
    long = Shots(("a " * 30 + "b", "c " * 30), ("yes", "no"), 2)
    words = written(reader(gpt, 44, long), ["a b"])[0].split()
    assert (words.count("a"), words.count("c"), len(words)) == (18, 17, 44)
    words = written(reader(gpt, 41, long), ["a b"])[0].split()
    assert (words.count("a"), words.count("c")) == (31, 0)


def run_config(source: Path, kind: str = "in_context", **options: Any) -> RunConfig:
    method = {"type": kind, "template": "{text} {mask}", "verbalizer": {"no": "f", "yes": "d"}} | options
    plain = {"data": {"source": "x.csv"}, "method": method, "model": {"source": str(source), "max_tokens": 32}}
    return parse_config(plain | {"training": {"precision": "fp32", "report_to": []}})


@pytest.fixture
def run(tiny_model: Path, made_up: Any, tmp_path: Path) -> Run:
    """A finished run that may show one example, or six."""
    settings = run_config(tiny_model, shots=[1, 6], kept=40)
    return tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path / "ws"), quiet=True)


def test_dev_chooses_how_many_and_the_folder_keeps_them(run: Run, made_up: Any) -> None:
    trials = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    best = max(trials, key=lambda trial: trial["dev_macro_f1"])
    assert [trial["shots"] for trial in trials] == [1, 6]
    assert trials[0]["shots_read"] == 1 < trials[1]["shots_read"] < 6  # there is no room for more
    assert run.info["shots"] == best["shots"] == json.loads((run.model_path / EXAMPLES).read_text())["count"]
    assert kept_texts(run.model_path) == 40
    handle, dev = run.handle(), made_up("classification").split("dev")
    assert handle.tokenizer.shots.inputs[0] in made_up("classification").split("train").texts
    assert handle.task.metrics(dev.labels, handle.scores(dev.inputs))["macro_f1"] == best["dev_macro_f1"]


def test_a_copied_folder_answers_alone_and_alike(run: Run, made_up: Any, tmp_path: Path) -> None:
    import shutil

    from tuneloop.inference.predictor import open_predictor

    inputs = made_up("classification").split("test").inputs
    before = run.handle().scores(inputs)
    folder = shutil.copytree(run.model_path, tmp_path / "copied")
    shutil.rmtree(run.path)
    assert np.array_equal(open_predictor(folder).scores(inputs), before)


@pytest.mark.long
def test_every_form_reads_the_same_examples(run: Run, made_up: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from tuneloop.inference.export import export_form
    from tuneloop.inference.predictor import open_predictor

    inputs = made_up("classification").split("test").inputs
    export_form(run.model_path, "onnx-fp32", tmp_path)
    theirs = open_predictor(run.model_path, engine="onnx-fp32", form_folder=tmp_path).scores(inputs)
    assert theirs == pytest.approx(run.handle().scores(inputs), abs=1e-4)


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_without_examples_it_is_zero_shot_by_prompt(
    tiny_model: Path, made_up: Any, tmp_path: Path, request: Any, kind: str
) -> None:
    from safetensors.torch import load_file

    source = tiny_model if kind == "bert" else request.getfixturevalue("gpt")
    data, workspace = made_up("classification"), Workspace(tmp_path / "ws")
    ours = tune(run_config(source, shots=0), snapshot=data, workspace=workspace, quiet=True)
    theirs = tune(run_config(source, "zero_shot", by="prompt"), snapshot=data, workspace=workspace, quiet=True)
    one, other = (load_file(run.model_path / APART) for run in (ours, theirs))
    assert all(torch.equal(one[name], other[name]) for name in other)
    inputs = data.split("test").inputs
    assert np.array_equal(ours.handle().scores(inputs), theirs.handle().scores(inputs))
    assert kept_texts(ours.model_path) == 0  # no text is kept that no prompt needs


@pytest.mark.parametrize(
    "damage",
    [None, "{", '{"count": 1, "examples": [{"text": 3, "label": "no"}]}', '{"count": "x", "examples": []}'],
)
def test_a_folder_whose_examples_are_lost_is_refused(run: Run, damage: str | None) -> None:
    path = run.model_path / EXAMPLES
    path.unlink() if damage is None else path.write_text(damage)
    with pytest.raises(ModelError, match=f"{EXAMPLES} cannot be read"):
        run.handle()


def test_an_example_of_an_unknown_class_is_refused(run: Run) -> None:
    text = '{"count": 1, "examples": [{"text": "a", "label": "maybe"}]}'
    (run.model_path / EXAMPLES).write_text(text)
    with pytest.raises(ModelError, match="class maybe"):
        run.handle()


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_prompts_longer_than_the_model_reads_are_refused(tiny_model: Path, request: Any, kind: str) -> None:
    source = tiny_model if kind == "bert" else request.getfixturevalue("gpt")
    method = create_method(MethodConfig(type="in_context", template="{text} {mask}"))
    with pytest.raises(ConfigError, match=r"41 tokens are longer than the (32|40)"):
        method.tokenizer(source, TASK, 41)


def test_the_card_says_that_training_texts_are_given_away(run: Run) -> None:
    from tuneloop.releases.card import card

    info = {"id": "m-1", "run": run.id, "data_hash": "x", "engine": "torch-fp32", "apart": True}
    info |= {"config": run.config.model_dump(mode="json"), "training_texts": kept_texts(run.model_path)}
    assert "holds 40 training texts" in card(info, {})


@pytest.mark.parametrize(
    ("options", "task", "complaint"),
    [
        ({}, "multilabel", "one class for each text"),
        ({}, "pair", "second text"),
        ({"verbalizer": {"maybe": "a"}}, "classification", "names the class maybe"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], task: str, complaint: str) -> None:
    known = create_task(TaskConfig(type=task), {"labels": ["no", "yes"]})
    with pytest.raises(ConfigError, match=complaint):
        create_method(MethodConfig(type="in_context", **options)).check(known)


@pytest.mark.parametrize("shots", [-1, [], "many"])
def test_an_impossible_number_of_examples_is_refused(shots: Any) -> None:
    with pytest.raises(ConfigError, match="shots"):
        create_method(MethodConfig(type="in_context", shots=shots))
