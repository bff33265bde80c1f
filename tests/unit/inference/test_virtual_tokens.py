"""Virtual tokens stand before every text, also where answers are written side by side."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.tokens import Tokens
from tuneloop.inference.continuous import Draft, Limits, TooLong
from tuneloop.inference.decoding import Decoding
from tuneloop.inference.predictor import open_predictor
from tuneloop.inference.writing import Writer, WritingEngine
from tuneloop.models.load import load_writer
from tuneloop.models.virtual_tokens import add_prefix, add_prompt
from tuneloop.tasks import create_task
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_answers_side_by_side_are_those_of_the_writer(
    talking_model: Path, made_up: type, tmp_path: Path, method: str
) -> None:
    plain = {
        "data": {"source": "x.csv"},
        "task": {"type": "generation", "max_new_tokens": 5},
        "model": {"source": str(talking_model), "max_tokens": 40},
        "method": {"type": method, "length": 4},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-2, "precision": "fp32", "report_to": []},
    }
    run = tune(parse_config(plain), snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)
    writer = open_predictor(run.model_path)
    texts = made_up("generation").split("test").inputs[:6]
    expected = [each.label for each in writer.predict(texts)]
    batch = writer.side_by_side(Limits())
    drafts = [Draft(ids, writer.own_decoding) for ids in writer.prompts(texts)[0]]
    found = dict.fromkeys(drafts, "")
    for draft in drafts:
        batch.add(draft)
        for written, piece in batch.step():
            found[written] += piece.text
    while batch.running or batch.waiting:
        for written, piece in batch.step():
            found[written] += piece.text
    assert list(found.values()) == expected
    untuned = open_predictor(talking_model)
    assert [each.label for each in untuned.predict(texts)] != expected


@pytest.fixture
def short(gpt: Path) -> Callable[[str], Writer]:
    """A GPT-2 of 40 places, some of them for virtual tokens."""

    def of(method: str) -> Writer:
        task = create_task(TaskConfig(type="generation", max_new_tokens=32), {})
        model = load_writer(gpt)
        {"prefix": add_prefix, "prompt": add_prompt, "none": lambda *_: None}[method](model, 6)
        engine = WritingEngine(model.eval().requires_grad_(False), "torch-fp32")
        return Writer(engine, task=task, tokenizer=Words(gpt), clean=CleanConfig(), name="gpt")

    return of


class Words:
    """A tokenizer of numbers, which ends nothing."""

    max_tokens, pad_id, end_id = 40, 0, None

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def encode(self, inputs: list[str]) -> Tokens:
        return Tokens.of_first_texts([[4] * int(each) for each in inputs], truncated=[False] * len(inputs), pad_id=0)

    def text_of(self, ids: list[int]) -> str:
        return " ".join(map(str, ids))


@pytest.mark.parametrize(("method", "places"), [("prefix", 34), ("prompt", 34), ("none", 40)])
def test_an_answer_ends_where_the_places_of_the_model_end(short: Callable, method: str, places: int) -> None:
    writer = short(method)
    assert writer.context_tokens == places
    written = writer.scores(["2", str(places - 5), str(places), "20"])
    rooms = [len(each.text.split()) for each in written]
    assert rooms == [min(32, places - 2), 5, 0, places - 20] and not any(each.finished for each in written)
    assert writer.scores([str(places - 5)])[0] == written[1]
    assert writer.answers_per_s(["30", "3"]) > 0
    batch = writer.side_by_side(Limits())
    good = Draft([4] * 20, Decoding(places - 20))
    batch.add(good)
    batch.step()
    with pytest.raises(TooLong):
        batch.add(Draft([4] * 20, Decoding(places - 19)))
    told = [piece for _ in range(places) for _, piece in batch.step()]
    assert told[-1].finish == "length" and " ".join(map(str, good.ids)) == written[3].text


def test_places_for_the_longest_prompt_and_answer_are_counted_before_training(
    gpt: Path, made_up: type, tmp_path: Path
) -> None:
    folder = shutil.copytree(gpt, tmp_path / "gpt")
    (folder / "tokenizer_config.json").write_text('{"eos_token": "[SEP]", "pad_token": "[PAD]"}')
    plain = {"data": {"source": "x.csv"}, "method": {"type": "prefix", "length": 4}, "training": {"precision": "fp32"}}
    plain |= {"model": {"source": str(folder), "max_tokens": 24}}
    said = r"prefix takes 4 positions, a prompt 12 and an answer 25, but the model has 40"
    with pytest.raises(ConfigError, match=said):
        prepare(parse_config(plain | {"task": {"type": "generation", "max_new_tokens": 25}}), made_up("generation"))
    assert prepare(parse_config(plain | {"task": {"type": "generation", "max_new_tokens": 24}}), made_up("generation"))
