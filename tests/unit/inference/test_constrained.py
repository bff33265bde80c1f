"""Answers of a random model that can only be what they must look like."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tuneloop import api
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import CleanConfig
from tuneloop.core.project import open_project
from tuneloop.inference.constrained import compile_constraint
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.writing import Writer, WritingEngine
from tuneloop.models.chat import ChatTokenizer
from tuneloop.models.load import load_writer
from tuneloop.tasks import create_task
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune

END = 2
DEEP: dict[str, Any] = {}
for _ in range(5000):
    DEEP = {"items": DEEP}
CIRCLE: dict[str, Any] = {}
CIRCLE["items"] = CIRCLE
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 6},
        "city": {"enum": ["北京", "Bath"]},
        "age": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["name", "city", "age"],
    "additionalProperties": False,
}


def settings(model: Path, **task: Any) -> dict[str, Any]:
    training = {"epochs": 1, "batch_size": 8, "precision": "fp32", "report_to": []}
    return {
        "name": "bound",
        "data": {"source": "x.csv"},
        "task": {"type": "generation", **task},
        "model": {"source": str(model), "max_tokens": 256},
        "training": training,
    }


@pytest.fixture(scope="session")
def byte_run(byte_model: Path, made_up: type, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plain = settings(byte_model, max_new_tokens=100, constraint={"choices": ["yes", "yes!", "no", "是的"]})
    workspace = Workspace(tmp_path_factory.mktemp("bound"))
    return tune(parse_config(plain), snapshot=made_up("generation"), workspace=workspace, quiet=True).model_path


@pytest.fixture
def writer(byte_run: Path) -> Writer:
    return open_predictor(byte_run)


@pytest.fixture(scope="session")
def tokenizer(byte_model: Path) -> ChatTokenizer:
    return ChatTokenizer(byte_model, 128)


def walk(spec: dict[str, Any], tokenizer: ChatTokenizer, *, seed: int, steps: int = 400) -> tuple[str, bool]:
    """What chance alone writes under a constraint, and whether it came to its end."""
    random, ids = np.random.default_rng(seed), []
    state = compile_constraint(spec, tokenizer).start()
    for _ in range(steps):
        allowed = np.flatnonzero(state.allowed())
        assert not {0, 1} & set(allowed)
        token = int(random.choice(allowed))
        state.accept(token)
        if token == END:
            assert state.finished
            break
        ids.append(token)
    return tokenizer.text_of(ids), state.finished


CHOICES = ["a", "ab", 'say "no"\\ or\nnot', "中文 😀", "<|end|>"]


def test_chance_alone_writes_every_choice_and_nothing_else(tokenizer: ChatTokenizer) -> None:
    found = {walk({"choices": CHOICES}, tokenizer, seed=seed) for seed in range(60)}
    assert found == {(choice, True) for choice in CHOICES}


@pytest.mark.parametrize("pattern", [r"\d{3}-[a-c]+x?", "(好|坏){2,4}。", "(yes|no|maybe)( [a-z]{1,3}){0,2}"])
def test_chance_alone_writes_what_a_pattern_matches(tokenizer: ChatTokenizer, pattern: str) -> None:
    for seed in range(10):
        text, finished = walk({"regex": pattern}, tokenizer, seed=seed)
        assert finished and re.fullmatch(pattern, text), text


def test_chance_alone_writes_json_of_the_schema(tokenizer: ChatTokenizer) -> None:
    cities = set()
    for seed in range(10):
        text, finished = walk({"json_schema": PERSON}, tokenizer, seed=seed)
        assert finished
        jsonschema.validate(json.loads(text), PERSON)
        cities.add(json.loads(text)["city"])
    assert cities == {"北京", "Bath"}


def test_the_end_is_allowed_exactly_where_the_answer_may_end(tokenizer: ChatTokenizer) -> None:
    state = compile_constraint({"choices": ["no", "not"]}, tokenizer).start()
    one = {tokenizer._inner.id_to_token(number): number for number in range(len(state.allowed()))}
    assert set(np.flatnonzero(state.allowed())) == {one["no"]}  # what must come, in the tokens that the text has
    state.accept(one["no"])
    assert set(np.flatnonzero(state.allowed())) == {END, one["t"]} and not state.finished
    other = state.copy()
    state.accept(one["t"])
    assert state.finished and set(np.flatnonzero(state.allowed())) == {END}
    other.accept(END)
    assert other.finished
    with pytest.raises(ValueError, match="follows a finished answer"):
        state.accept(one["t"])
    state = compile_constraint({"choices": ["no"]}, tokenizer).start()
    for wrong in (END, 0, 1, one["t"], -1, 10**6):
        with pytest.raises(ValueError, match="not allowed here"):
            state.accept(wrong)
        assert set(np.flatnonzero(state.allowed())) == {one["no"]} and not state.finished


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "is empty"),
        ({"choices": ["a"], "regex": "a"}, "not by several"),
        ({"choices": ["a", ""]}, "is empty"),
        ({"choices": [True, False]}, 'write choices in quotes, as "yes"'),
        ({"chioces": ["a"]}, "no setting chioces"),
        ({"regex": "a(b"}, "unclosed group"),
        ({"regex": "a(?=b)"}, "look-around"),
        ({"regex": r"[^\s\S]"}, "no answer of these tokens"),
        ({"regex": r"a[^\s\S]"}, "no answer of these tokens"),
        ({"json_schema": {"type": "nonsense"}}, "Invalid type: nonsense"),
        ({"json_schema": {"type": "object", "properties": 4}}, "properties must be an object"),
        ({"json_schema": {"allOf": [{"type": "string"}, {"type": "number"}]}}, "Unsatisfiable schema"),
        ({"json_schema": {"not": {"const": 1}}}, "Unimplemented keys"),
        ({"json_schema": {"not": {"const": 1}, "x-guidance": {"lenient": True}}}, "Unimplemented keys"),
        (["a"], "is no mapping"),
        ({"json_schema": DEEP}, "recursion"),
        ({"json_schema": CIRCLE}, "Circular reference"),
        ({"json_schema": {"$ref": "#"}}, "no answer of these tokens"),
        ({"json_schema": "/etc/hostname"}, "json_schema is '/etc/hostname'"),
        ({"json_schema": Path("nowhere.json")}, "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_followed_is_one_clear_error(
    tokenizer: ChatTokenizer, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compile_constraint(spec, tokenizer)
    assert "\n" not in caught.value.problem and len(caught.value.problem) < 200


def test_a_tokenizer_that_falls_back_to_bytes_keeps_to_it_too(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, normalizers

    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁yes", "yes", "▁no", "▁", "好", "的"]
    vocabulary = {word: number for number, word in enumerate(words)}
    inner = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    inner.decoder = decoders.Sequence(parts)
    inner.add_special_tokens(["<s>", "</s>"])
    inner.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "bos_token": "<s>"}))
    choices = ["yes", "yes no", "好的", "😀 </s>"]
    tokenizer = ChatTokenizer(tmp_path, 64)
    assert {walk({"choices": choices}, tokenizer, seed=seed) for seed in range(40)} == {
        (each, True) for each in choices
    }


def test_words_that_are_not_made_of_bytes_are_refused(chat_model: Path) -> None:
    with pytest.raises(ModelError, match="not made of bytes"):
        compile_constraint({"choices": ["good"]}, ChatTokenizer(chat_model, 20))


@pytest.mark.parametrize("decoding", ["greedy", "sample", "beam"])
def test_a_writer_keeps_to_its_constraint(writer: Writer, decoding: str) -> None:
    update = {"decoding": decoding, "temperature": 2.0, "repetition_penalty": 1.2}
    writer.task.options = writer.task.options.model_copy(update=update)
    prompts = ["a", "good morning", "yes?", "b" * 40]
    found = writer.predict(prompts)
    assert {each.label for each in found} <= {"yes", "yes!", "no", "是的"} and all(each.finished for each in found)
    for each in writer.predict(prompts, constraint={"json_schema": PERSON}):
        assert each.finished
        jsonschema.validate(json.loads(str(each.label)), PERSON)
    assert {each.label for each in writer.predict(prompts)} <= {"yes", "yes!", "no", "是的"}


def test_a_limit_that_is_too_small_is_told(writer: Writer) -> None:
    writer.task.options = writer.task.options.model_copy(update={"max_new_tokens": 3})
    cut, whole = (writer.predict(["a"], constraint={"regex": regex})[0] for regex in ("x{10}", "x{3}"))
    assert cut.label == "xxx" and not cut.finished and cut.to_json()["finished"] is False
    assert whole.label == "xxx" and whole.finished and "finished" not in whole.to_json()


def test_a_schema_of_a_file_becomes_part_of_the_configuration(byte_model: Path, tmp_path: Path) -> None:
    (tmp_path / "person.json").write_text(json.dumps(PERSON), encoding="utf-8")
    plain = settings(byte_model, constraint={"json_schema": "person.json"})
    (tmp_path / "tuneloop.yaml").write_text(json.dumps(plain))
    config = open_project(tmp_path / "tuneloop.yaml").config
    assert config.task.options["constraint"] == {"json_schema": PERSON}
    api.write_config(config, tmp_path / "again.yaml")
    again = open_project(tmp_path / "again.yaml").config.task.options["constraint"]
    assert again["json_schema"] == PERSON and not again["choices"]
    (tmp_path / "person.json").write_text("{")
    with pytest.raises(ConfigError, match=r"person\.json cannot be read"):
        open_project(tmp_path / "tuneloop.yaml")


def test_a_model_keeps_its_constraint_and_a_wrong_one_is_known_before_training(
    byte_model: Path, byte_run: Path, made_up: type
) -> None:
    kept = json.loads((byte_run / "tuneloop.json").read_text(encoding="utf-8"))["task"]["options"]
    assert kept["constraint"] == {"choices": ["yes", "yes!", "no", "是的"]}
    config = parse_config(settings(byte_model, constraint={"regex": "("}))
    with pytest.raises(ConfigError, match="unclosed group"):
        prepare(config, made_up("generation"))


@pytest.fixture(scope="module")
def bart(byte_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """A random BART of bytes whose own settings force the first token and the last, as those of facebook do."""
    import torch
    import transformers
    from tokenizers import Tokenizer, processors

    path = tmp_path_factory.mktemp("bart")
    shutil.copy(byte_model / "tokenizer_config.json", path)
    inner = Tokenizer.from_file(str(byte_model / "tokenizer.json"))
    frame = {"single": "<|begin|> $A <|end|>", "special_tokens": [("<|begin|>", 1), ("<|end|>", END)]}
    inner.post_processor = processors.TemplateProcessing(**frame)
    inner.save(str(path / "tokenizer.json"))
    torch.manual_seed(0)
    sides = {"layers": 1, "attention_heads": 2, "ffn_dim": 16}
    shape = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in sides.items()}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END, "decoder_start_token_id": END}
    config = transformers.BartConfig(
        vocab_size=inner.get_vocab_size() + 5, d_model=16, max_position_embeddings=200, init_std=0.2, **shape, **marks
    )
    model = transformers.BartForConditionalGeneration(config)
    wishes = {"forced_bos_token_id": 1, "forced_eos_token_id": END, "no_repeat_ngram_size": 2, "min_length": 30}
    model.generation_config.update(**wishes)
    model.save_pretrained(path)
    task = create_task(TaskConfig(type="generation", max_new_tokens=100), {})
    engine = WritingEngine(load_writer(path).eval().requires_grad_(False), "torch-fp32")
    return Writer(engine, task=task, tokenizer=task.tokenizer(path, 64), clean=CleanConfig(), name="bart")


@pytest.mark.parametrize("decoding", ["greedy", "sample", "beam"])
def test_a_constraint_holds_behind_the_token_that_every_answer_of_bart_begins_with(bart: Writer, decoding: str) -> None:
    bart.task.options = bart.task.options.model_copy(update={"decoding": decoding, "temperature": 2.0})
    prompts = ["a", "good morning", "b" * 40]
    for constraint, pattern in (({"choices": ["yes", "no", "是的"]}, "yes|no|是的"), ({"regex": "(ab){3}"}, "ababab")):
        for each in bart.predict(prompts, constraint=constraint):
            assert re.fullmatch(pattern, str(each.label)) and each.finished
    bart.task.options = bart.task.options.model_copy(update={"max_new_tokens": 4})
    (cut,) = bart.predict(["a"], constraint={"regex": "x{10}"})
    bart.task.options = bart.task.options.model_copy(update={"max_new_tokens": 100})
    assert cut.label == "xxx" and not cut.finished
