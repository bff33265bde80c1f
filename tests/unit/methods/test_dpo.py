"""DPO: the loss of its papers, the reference is the untouched model, and planted preferences are learnt."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import tuneloop as tl
from tuneloop.core.config import MethodConfig, TaskConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.data.conversation import Message, to_text
from tuneloop.data.examples import Examples
from tuneloop.methods import create_method
from tuneloop.methods.dpo import preference_losses
from tuneloop.models.load import load_writer
from tuneloop.tasks import create_task
from tuneloop.training import plan as planning
from tuneloop.training.prepare import prepare
from tuneloop.training.run import tune

MARGINS = [-3.0, 0.0, 0.5, 12.0]


def settings(model: Path, **more: object) -> dict:
    training = {"epochs": 6, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    task = {"type": "generation", "max_new_tokens": 4}
    plain = {"data": {"source": "x.csv"}, "task": task, "model": {"source": str(model), "max_tokens": 48}}
    return plain | {"training": training, "method": {"type": "dpo", "rate_scale": 1.0}} | more


@pytest.mark.parametrize(
    ("kind", "smoothing", "by_hand"),
    [
        ("sigmoid", 0.0, lambda h: math.log1p(math.exp(-0.3 * h))),
        ("sigmoid", 0.2, lambda h: 0.8 * math.log1p(math.exp(-0.3 * h)) + 0.2 * math.log1p(math.exp(0.3 * h))),
        ("ipo", 0.0, lambda h: (h - 1 / 0.6) ** 2),
        ("hinge", 0.0, lambda h: max(0.0, 1 - 0.3 * h)),
    ],
)
def test_the_loss_is_that_of_the_paper(kind: str, smoothing: float, by_hand: object) -> None:
    found = preference_losses(torch.tensor(MARGINS), kind=kind, beta=0.3, smoothing=smoothing)
    assert found.tolist() == pytest.approx([by_hand(margin) for margin in MARGINS], rel=1e-5)


@pytest.mark.parametrize("kind", ["sigmoid", "ipo"])
def test_before_the_first_step_no_answer_has_gained(made_up: type, chat_model: Path, kind: str) -> None:
    config = parse_config(settings(chat_model, method={"type": "dpo", "loss": kind, "beta": 0.5}))
    ready = prepare(config, made_up("generation"))
    ready.method.begin(ready.model, ready.task, ready.train, total=1, per_epoch=1, precision="fp32")
    trained = [name for name, value in ready.model.named_parameters() if value.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    rows = made_up("generation").split("train")
    untouched, task = load_writer(chat_model), create_task(TaskConfig(type="generation", max_new_tokens=4), {})
    tokenizer = task.tokenizer(chat_model, 48)
    expected = [
        task.likelihoods(untouched, tokenizer.encode(task.lessons(rows.inputs, answers)), "fp32")[0]
        for answers in (rows.labels, rows.columns["rejected"])
    ]
    assert ready.method._reference[::2].tolist() == pytest.approx(expected[0], rel=1e-4)
    assert ready.method._reference[1::2].tolist() == pytest.approx(expected[1], rel=1e-4)
    batch = {name: torch.from_numpy(each) for name, each in ready.train.tokens.batch(range(6)).items()}
    targets = torch.from_numpy(ready.train.targets(ready.task))[:6]
    losses = ready.method.loss(ready.model.eval(), ready.task, batch, targets, np.arange(6))
    assert losses.tolist() == pytest.approx([math.log(2) if kind == "sigmoid" else 1.0] * 6, abs=1e-3)


def test_the_margin_is_what_both_models_say_of_both_answers(made_up: type, chat_model: Path) -> None:
    more = {"type": "dpo", "beta": 0.7, "sft_weight": 0.25}
    ready = prepare(parse_config(settings(chat_model, method=more)), made_up("generation"))
    ready.method.begin(ready.model, ready.task, ready.train, total=1, per_epoch=1, precision="fp32")
    targets = torch.from_numpy(ready.train.targets(ready.task))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in ready.model.named_parameters():
            value.add_(torch.randn_like(value) * 0.1 * ("lora_" in name))
    now, _ = ready.task.likelihoods(ready.model, ready.train.tokens, "fp32")
    gained = now - ready.method._reference.numpy()
    rows = np.array([4, 5, 10, 11])
    batch = {name: torch.from_numpy(each) for name, each in ready.train.tokens.batch(rows).items()}
    losses = ready.method.loss(ready.model.eval(), ready.task, batch, targets[rows], rows)
    for place, row in enumerate((4, 10)):
        margin = gained[row] - gained[row + 1]
        assert abs(margin) > 0.1
        expected = math.log1p(math.exp(-0.7 * margin)) - 0.25 * now[row] / ready.task.mean_tokens
        assert losses[2 * place].item() == pytest.approx(expected, rel=1e-3)
        assert losses[2 * place] == losses[2 * place + 1]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sigmoid", "ipo", "hinge"])
def test_planted_preferences_are_learnt(made_up: type, talking_model: Path, tmp_path: Path, kind: str) -> None:
    method = {"type": "dpo", "loss": kind, "rate_scale": 1.0}
    run = tune(parse_config(settings(talking_model, method=method)), snapshot=made_up("generation"),
               workspace=Workspace(tmp_path), quiet=True)  # fmt: skip
    assert run.info["best_dev"]["preference_accuracy"] > 0.9
    test = made_up("generation").split("test")
    writer, base = run.handle(), load_writer(talking_model)
    gained = []
    for answers in (test.labels, test.columns["rejected"]):
        lessons = writer.tokenizer.encode(writer.task.lessons(test.inputs, answers))
        after, before = (writer.task.likelihoods(each, lessons, "fp32")[0] for each in (writer.engine.model, base))
        gained.append(after - before)
    assert (gained[0] > gained[1]).mean() > 0.85


def test_without_the_worse_answers_it_says_which_column_is_missing(
    made_up: type, chat_model: Path, tmp_path: Path
) -> None:
    method = {"type": "dpo", "rejected": "worse"}
    with pytest.raises(ConfigError, match="no column called 'worse'"):
        tune(parse_config(settings(chat_model, method=method)), snapshot=made_up("generation"),
             workspace=Workspace(tmp_path), quiet=True)  # fmt: skip

    class Gap(made_up):  # type: ignore[misc]
        def split(self, name: str) -> Examples:
            rows = super().split(name)
            rows.columns["rejected"][3] = " "
            return rows

    with pytest.raises(ConfigError, match='Row 3 of train: "rejected" is no text'):
        tune(parse_config(settings(chat_model)), snapshot=Gap("generation"), workspace=Workspace(tmp_path), quiet=True)


def written(model: Path, split: object) -> list[str]:
    """The marked tokens of each text."""
    tokenizer, tokens = create_task(TaskConfig(type="generation"), {}).tokenizer(model, 48), split.tokens
    spans = [slice(*tokens.offsets[row : row + 2]) for row in range(len(tokens))]
    return [tokenizer.text_of(tokens.ids[span][tokens.type_ids[span] == 1]) for span in spans]


def test_every_row_learns_from_its_own_worse_answer(made_up: type, chat_model: Path) -> None:
    answers = ["a", "b", "c", "d", "e", "f"]

    class Several(made_up):  # type: ignore[misc]
        def split(self, name: str) -> Examples:
            return Examples(answers, ["bad"] * 6, ["good"] * 6, columns={"rejected": answers})

    ready = prepare(parse_config(settings(chat_model)), Several("generation"))
    for split in (ready.train, ready.dev):
        assert written(chat_model, split) == [text for answer in answers for text in ("good", answer)]
        assert written(chat_model, split.select(np.array([8, 2]))) == ["good", "e", "good", "b"]
        assert split.select(np.array([8, 2])).labels == ["good"] * 2


def test_the_last_answer_alone_counts_and_both_have_the_same_prompt(made_up: type, chat_model: Path) -> None:
    said = [Message("user", "a " * 12), Message("assistant", "bad c"), Message("user", "b " * 12)]
    pairs = [("c", "d " * 20), ("c " * 20, "d"), ("c", "d"), ("c", "d " * 60)]

    class Talks(made_up):  # type: ignore[misc]
        def split(self, name: str) -> Examples:
            better, worse = map(list, zip(*pairs, strict=True))
            return Examples(list("1234"), [to_text(said)] * 4, better, columns={"rejected": worse})

    ready = prepare(parse_config(settings(chat_model)), Talks("generation"))
    for split in (ready.train, ready.dev):
        tokens = split.tokens
        assert [text.split() for text in written(chat_model, split)[:6]] == [
            each.split() for pair in pairs[:3] for each in pair
        ]
        parts = [slice(*tokens.offsets[row : row + 2]) for row in range(8)]
        prompts = [tokens.ids[part][: np.argmax(tokens.type_ids[part])].tolist() for part in parts]
        assert prompts[::2] == prompts[1::2] and len(prompts[0]) < len(prompts[4]) < 48
        assert prompts[0][-12:] == prompts[4][-12:] and tokens.lengths.max() <= 48
        assert tokens.truncated.tolist() == [True] * 4 + [False] * 2 + [True] * 2
    assert ready.task.mean_tokens == (2 + 21 + 2 + 2) / 4


def test_a_plan_prices_both_answers_and_the_model_before(
    made_up: type, chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = parse_config(settings(chat_model)), made_up("generation")
    ready, asked = prepare(config, data), []
    monkeypatch.setattr(type(ready.method), "figures", lambda *given: asked.append(given[3]) or {})
    planning._evaluation_s(ready, ready.dev)
    assert asked == [ready.dev]
    monkeypatch.undo()
    monkeypatch.setattr(planning, "_evaluation_s", lambda ready, dev: 1000.0)
    lora = parse_config(settings(chat_model, method={"type": "lora"}))
    seconds = [planning.plan(each, snapshot=data).seconds for each in (config, lora)]
    share = ready.train.tokens.offsets[-1] / ready.dev.tokens.offsets[-1]
    assert seconds[0] - seconds[1] == pytest.approx(1000 * (1 + share), rel=0.05)


def test_the_reference_is_computed_once(made_up: type, chat_model: Path, tmp_path: Path, monkeypatch: object) -> None:
    config, calls = parse_config(settings(chat_model)), []
    for _ in range(2):
        ready = prepare(config, made_up("generation"), cache=tmp_path)
        ready.method.tuner.disable_adapter_layers, inner = calls.append, ready.method.tuner.disable_adapter_layers
        ready.method.tuner.disable_adapter_layers = lambda inner=inner: (calls.append(1), inner())
        ready.method.begin(ready.model, ready.task, ready.train, total=1, per_epoch=1, precision="fp32")
    assert calls == [1]
    assert len(list((tmp_path / "answers").iterdir())) == 1


def test_from_a_file_to_a_release(made_up: type, chat_model: Path, tmp_path: Path, monkeypatch: object) -> None:
    pytest.importorskip("sacrebleu")
    pytest.importorskip("rouge_score")
    monkeypatch.chdir(tmp_path)
    parts = [made_up("generation").split(name) for name in ("train", "dev", "test")]
    rows = [
        {"prompt": text, "chosen": better, "rejected": worse}
        for part in parts
        for text, better, worse in zip(part.texts, part.labels, part.columns["rejected"], strict=True)
    ]
    Path("pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = {"source": "pairs.jsonl", "clean": {"duplicates": "exact"}, "split": {"dev": 30, "test": 40}}
    plain = settings(chat_model, name="kind", data=data, evaluation={"resamples": 100})
    run = tl.tune(tl.open_project(plain | {"training": plain["training"] | {"epochs": 1}}), quiet=True)
    found = tl.evaluate(run, quiet=True)
    assert found["metrics"]["chrf"]["value"] >= 0
    assert (run.path / "adapter" / "adapter_config.json").is_file()
    seen = tl.evaluate(run, data=Path("pairs.jsonl"), quiet=True)["rows_seen"]
    tl.release(run, quiet=True)
    plan = tl.plan(tl.open_project(plain), quiet=True)
    assert plan.steps == 6 * math.ceil(plan.train_rows / 8)
    assert plan.train_rows <= seen <= len(rows) - plan.dev_rows


def test_it_is_a_method_of_steps_with_an_example() -> None:
    assert create_method(MethodConfig(type="dpo")).options.rejected == "rejected"
