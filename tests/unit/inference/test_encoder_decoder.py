"""Models with an encoder and a decoder: the loss of transformers, answers of its `generate`, the whole way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import tuneloop as tl
from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.core.errors import ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.conversation import Message, to_text
from tuneloop.inference.writing import Writer
from tuneloop.models.encoder_decoder import PromptTokenizer
from tuneloop.models.load import load_writer
from tuneloop.models.next_token import next_token_losses
from tuneloop.tasks import create_task
from tuneloop.training.run import Run, tune

WORDS = ["<pad>", "<unk>", "</s>", "<s>", "good", "bad", *"abcdefghijklmno"]
KINDS = ("t5", "bart")


def built(kind: str) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    if kind == "t5":
        shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 2.0}
        return transformers.T5ForConditionalGeneration(
            transformers.T5Config(
                vocab_size=len(WORDS), pad_token_id=0, eos_token_id=2, decoder_start_token_id=0, **shape
            )
        )
    sides = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}
    shape = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sides.items()}
    marks = {"pad_token_id": 0, "bos_token_id": 3, "eos_token_id": 2, "decoder_start_token_id": 2}
    config = transformers.BartConfig(
        vocab_size=len(WORDS), d_model=32, max_position_embeddings=48, init_std=0.2, **shape, **marks
    )
    model = transformers.BartForConditionalGeneration(config)
    model.final_logits_bias += torch.randn(model.final_logits_bias.shape)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a random T5 or BART and a word tokenizer that frames texts as theirs do."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind in made:
            return made[kind]
        path = made[kind] = tmp_path_factory.mktemp(kind)
        built(kind).save_pretrained(path)
        inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
        inner.pre_tokenizer = pre_tokenizers.Whitespace()
        inner.add_special_tokens(["<pad>", "</s>", "<s>"])
        frame = "$A </s>" if kind == "t5" else "<s> $A </s>"
        inner.post_processor = processors.TemplateProcessing(single=frame, special_tokens=[("</s>", 2), ("<s>", 3)])
        inner.save(str(path / "tokenizer.json"))
        marks = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
        (path / "tokenizer_config.json").write_text(json.dumps(marks | {"tokenizer_class": "PreTrainedTokenizerFast"}))
        return path

    return of


def settings(folder: Path, **more: object) -> dict:
    training = {"epochs": 15, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    task = {"type": "generation", "max_new_tokens": 5}
    model = {"source": str(folder), "max_tokens": 16}
    return {"name": "t", "data": {"source": "x.csv"}, "task": task, "model": model, "training": training} | more


@pytest.fixture(scope="module")
def tuned(folder: Callable, made_up: type, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    runs: dict[str, Run] = {}

    def of(kind: str) -> Run:
        if kind not in runs:
            config: RunConfig = parse_config(settings(folder(kind)))
            workspace = Workspace(tmp_path_factory.mktemp("runs"))
            runs[kind] = tune(config, snapshot=made_up("generation"), workspace=workspace, quiet=True)
        return runs[kind]

    return of


def test_a_prompt_is_framed_as_any_text_and_an_answer_too(folder: Callable) -> None:
    talk = to_text([Message("system", "a"), Message("user", "b </s>"), Message("assistant", "c"), Message("user", "d")])
    for kind, first in (("t5", []), ("bart", [3])):
        tokenizer = PromptTokenizer(folder(kind), 8)
        names = [[WORDS[number] for number in tokenizer.encode([each]).ids] for each in ("a b", talk)]
        start = [WORDS[number] for number in first]
        assert names[0] == [*start, "a", "b", "</s>"]
        # a typed end of text is no end, and what is too long loses its beginning
        said = ["a", "b", "<unk>", "<unk>", "<unk>", "c", "d"]
        assert names[1] == [*start, *said[len(first) :], "</s>"]
        both = tokenizer.encode([("a b", "good a")])
        assert both.ids[both.type_ids == 1].tolist() == [*first, 4, 6, 2]
        long = tokenizer.encode(["a " * 20, ("a", "b " * 20)])
        assert long.truncated.all() and long.lengths.max() <= 16
        assert long.ids[long.lengths[0] - 1] == 2 == long.ids[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_transformers(folder: Callable, kind: str) -> None:
    model = load_writer(folder(kind)).eval()
    task = create_task(TaskConfig(type="generation"), {})
    tokenizer = task.tokenizer(folder(kind), 16)
    prompts, answers = ["a b good", "c", "d e f bad"], ["good a", "bad", "b b b b"]
    tokens = tokenizer.encode(list(zip(prompts, answers, strict=True)))
    sums, counts = task.likelihoods(model, tokens, "fp32")
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        read, labels = (torch.from_numpy(tokenizer.encode([text]).ids).long()[None] for text in (prompt, answer))
        with torch.inference_mode():
            loss = model(input_ids=read, labels=labels).loss
            chances = model(input_ids=read, labels=labels).logits.log_softmax(dim=-1)
        assert counts[row] == labels.shape[1]
        # the mean that BART itself gives leaves no bias out either
        assert -sums[row] == pytest.approx(float(loss) * labels.shape[1], rel=1e-4)
        assert sums[row] == pytest.approx(float(chances.gather(2, labels[..., None]).sum()), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_and_is_an_ordinary_folder(tuned: Callable, folder: Callable, made_up: type, kind: str) -> None:
    run, test = tuned(kind), made_up("generation").split("test")
    writer = run.handle()
    assert isinstance(writer, Writer)
    written = writer.scores(test.inputs)
    assert writer.task.metrics(test.labels, written)["chrf"] > 0.9
    assert list(written[:5]) == [writer.scores([prompt])[0] for prompt in test.inputs[:5]]
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(run.model_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.model_path)
    for prompt, ours in zip(test.texts[:5], written, strict=False):
        read = tokenizer(prompt, return_tensors="pt")
        ids = model.generate(input_ids=read["input_ids"], max_new_tokens=5)[0]
        assert tokenizer.decode(ids, skip_special_tokens=True) == ours.text
    logits = writer.logits(test.inputs[:3])
    start = [model.config.decoder_start_token_id, *([3] if kind == "bart" else [])]
    for prompt, ours in zip(test.texts[:3], logits, strict=False):
        read = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            theirs = model(input_ids=read["input_ids"], decoder_input_ids=torch.tensor([start])).logits[0, -1]
        assert ours == pytest.approx(theirs.numpy(), abs=1e-4)


@pytest.mark.parametrize(("kind", "method"), [("t5", "lora"), ("bart", "lora"), ("t5", "ia3")])
def test_adapters_learn_and_peft_opens_them(
    folder: Callable, made_up: type, tmp_path: Path, kind: str, method: str
) -> None:
    from peft import PeftModel

    more = {"type": "lora", "rank": 4} if method == "lora" else {"type": method}
    plain = settings(folder(kind), method=more)
    config = parse_config(plain | {"training": plain["training"] | {"epochs": 3}})
    run = tune(config, snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)
    test = made_up("generation").split("test")
    base = load_writer(folder(kind))
    task = create_task(TaskConfig(type="generation"), {})
    lessons = task.tokenizer(folder(kind), 16).encode(task.lessons(test.inputs, test.labels))
    before, _ = task.likelihoods(base, lessons, "fp32")
    after, _ = run.handle().likelihoods(test.inputs, test.labels)
    assert after.sum() > before.sum() * 0.8
    adapted = PeftModel.from_pretrained(transformers.AutoModelForSeq2SeqLM.from_pretrained(folder(kind)),
                                        run.path / "adapter").eval()  # fmt: skip
    theirs, _ = task.likelihoods(adapted.base_model.model, lessons, "fp32")
    assert theirs == pytest.approx(after, abs=1e-3)


def test_virtual_tokens_are_for_causal_models(folder: Callable, made_up: type, tmp_path: Path) -> None:
    config = parse_config(settings(folder("t5"), method="prefix"))
    with pytest.raises(ModelError, match="has no place for a prefix"):
        tune(config, snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)


def test_a_bias_of_the_words_counts_in_the_gradient_too() -> None:
    random = torch.Generator().manual_seed(0)
    states, head = (torch.randn(size, 5, generator=random, requires_grad=True) for size in (4, 7))
    bias, wanted = torch.randn(7, generator=random), torch.tensor([1, 6, 0, 3])
    wide = torch.cat([states, states.new_ones(4, 1)], dim=1), torch.cat([head, bias[:, None]], dim=1)
    ours = next_token_losses(*wide, wanted)
    theirs = torch.nn.functional.cross_entropy(states @ head.T + bias, wanted, reduction="none")
    torch.testing.assert_close(ours, theirs)
    for one, other in zip(*(torch.autograd.grad(each.sum(), (states, head)) for each in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other)


def test_the_whole_way(folder: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up: type) -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    monkeypatch.chdir(tmp_path)
    rows = [made_up("generation").split(name) for name in ("train", "dev", "test")]
    talks = [
        {"text": text, "label": label} for part in rows for text, label in zip(part.texts, part.labels, strict=True)
    ]
    Path("talks.jsonl").write_text("\n".join(map(json.dumps, talks)))
    data = {"source": "talks.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 30, "test": 40}}
    project = tl.open_project(settings(folder("t5"), data=data, evaluation={"resamples": 100}))
    finished = tl.tune(project, quiet=True)
    found = tl.evaluate(finished, quiet=True)
    assert found["metrics"]["perplexity"]["value"] < found["baselines"]["base"]["perplexity"]["value"] / 2
    made = tl.release(finished, quiet=True)
    assert set(made.info["forms"]) == {"torch-fp32", "torch-bf16"}
    assert [answer.label for answer in made.predict(["a good b good", "c bad bad"])] == ["good a", "bad b"]
    card = (made.path / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "from transformers import pipeline" not in card
    assert np.isfinite(found["metrics"]["chrf"]["value"])


def test_an_instruction_is_kept_before_what_is_cut_and_left_out_where_the_system_speaks(folder: Callable) -> None:
    long = [Message("user", "a b c"), Message("assistant", "d e f"), Message("user", "g h")]
    tokenizer = PromptTokenizer(folder("bart"), 8, instruction="good bad")
    names = [[WORDS[number] for number in tokenizer.encode([to_text(talk)]).ids] for talk in (
        long, [Message("system", "o"), Message("user", "a")], [Message("user", "a")], [Message("user", "a " * 20)]
    )]  # fmt: skip
    assert names[0] == ["<s>", "good", "bad", "e", "f", "g", "h", "</s>"]
    assert not {"good", "bad"} & set(names[1]) and "o" in names[1]
    assert names[2] == ["<s>", "good", "bad", "a", "</s>"]
    assert names[3] == ["<s>", "good", "bad", "a", "a", "a", "a", "</s>"]
    # of one that leaves no room the text keeps its share
    (wide,) = [PromptTokenizer(folder("bart"), 8, instruction="good " * 30).encode([to_text(long)]).ids.tolist()]
    assert [WORDS[number] for number in wide] == ["<s>", *["good"] * 5, "h", "</s>"]
