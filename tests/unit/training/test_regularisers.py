"""R-Drop, FGM and supervised contrast do what their equations say, whatever the method freezes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from tuneloop.core.config import MethodConfig, RunConfig, TaskConfig, TrainingConfig, parse_config
from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.data.tokens import Tokens
from tuneloop.methods import METHODS, create_method
from tuneloop.methods.base import GradientMethod
from tuneloop.methods.catalogue import refusals
from tuneloop.tasks import TASKS, create_task
from tuneloop.training.loop import backward
from tuneloop.training.plan import plan
from tuneloop.training.regularisers import fgm, regularised
from tuneloop.training.run import tune

ROWS, LENGTHS = 6, [9, 4, 7, 9, 5, 6]
TARGETS = torch.tensor([0, 1, 2, 1, 0, 1])
LABELS = ["a", "b", "c"]


def bert(dropout: float = 0.0, **options: object) -> tuple[Any, Any, Any]:
    """A model, its task and the method that trains it."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    drop = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model = BertForSequenceClassification(
        BertConfig(vocab_size=30, num_labels=3, initializer_range=0.3, **shape, **drop)
    )
    method = create_method(MethodConfig(**({"type": "full"} | options)))
    method.prepare(model)
    return model.train(), create_task(TaskConfig(type="classification"), {"labels": LABELS}), method


def tokens() -> Tokens:
    ids = np.random.default_rng(0).integers(4, 30, sum(LENGTHS)).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(LENGTHS)]), None, np.zeros(ROWS, bool))


def batch() -> dict[str, torch.Tensor]:
    arrays = tokens().batch(range(ROWS))
    return {name: torch.from_numpy(arrays[name]) for name in ("input_ids", "attention_mask")}


def gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


def whole_step(made: tuple[Any, Any, Any], **settings: object) -> tuple[float, dict[str, torch.Tensor]]:
    model, task, method = made
    loss = backward(model, task, method, tokens(), TARGETS, np.arange(ROWS), TrainingConfig(**settings), "fp32")
    return loss, gradients(model)


def close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    assert ours.keys() == theirs.keys()
    return all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


@pytest.mark.parametrize("options", [{}, {"freeze_embeddings": True}, {"type": "lora"}])
def test_fgm_adds_the_gradient_at_the_moved_word_vectors(options: dict[str, Any]) -> None:
    """Against the equation: r = length x g / |g| for each text, fed to the model in place of its words."""
    length = 0.7
    model, *_ = bert(**options)
    given = batch()
    words = model.get_input_embeddings()(given["input_ids"])
    mask = given["attention_mask"]

    def loss(vectors: torch.Tensor) -> torch.Tensor:
        logits = model(inputs_embeds=vectors, attention_mask=mask).logits
        return torch.nn.functional.cross_entropy(logits, TARGETS)

    at = words.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(at), at)
    steps = torch.stack([length * each / each.square().sum().sqrt() for each in gradient])
    total = loss(words) + loss(words + steps)
    total.backward()
    expected = gradients(model)
    assert float(total.detach()) > 2 * float(loss(words).detach()) + 0.01  # the step is uphill

    found, ours = whole_step(bert(**options), fgm=length)
    assert found == pytest.approx(float(total.detach()), abs=1e-5)
    assert close(ours, expected)
    assert ("bert.embeddings.word_embeddings.weight" in ours) == (options == {})


def test_fgm_leaves_the_weights_and_the_model_as_they_were() -> None:
    made = bert()
    before = {name: value.clone() for name, value in made[0].state_dict().items()}
    whole_step(made, fgm=1.0)
    assert all(torch.equal(value, before[name]) for name, value in made[0].state_dict().items())
    assert not made[0].get_input_embeddings()._forward_hooks


def test_a_failure_between_the_passes_leaves_no_hook() -> None:
    model, _, _ = bert()
    with pytest.raises(KeyboardInterrupt):
        for _ in fgm.passes(model, 1.0):
            raise KeyboardInterrupt
    assert not model.get_input_embeddings()._forward_hooks


@pytest.mark.parametrize("settings", [{"fgm": 0.7}, {"r_drop": 2.0}, {"fgm": 0.7, "r_drop": 2.0}])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(settings: dict[str, float]) -> None:
    one, two = whole_step(bert(), **settings), whole_step(bert(), max_batch_tokens=20, **settings)
    assert one[0] == pytest.approx(two[0], abs=1e-5)
    assert close(one[1], two[1])


def test_r_drop_is_the_mean_loss_and_the_mean_of_both_divergences() -> None:
    from scipy.stats import entropy

    model, task, method = bert(dropout=0.3)
    answers: list[Any] = []
    model.register_forward_hook(lambda _, __, output: answers.append(output.logits.detach().numpy()))
    found = regularised(method.loss, TrainingConfig(r_drop=2.0))(model, task, batch(), TARGETS, np.arange(ROWS))
    (logits,) = answers
    one, other = np.split(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 2)
    assert not np.allclose(one, other)
    right = [-np.log(each[np.arange(ROWS), TARGETS]) for each in (one, other)]
    apart = (entropy(one, other, axis=1) + entropy(other, one, axis=1)) / 2
    assert found.detach().numpy() == pytest.approx(np.mean(right, axis=0) + 2.0 * apart, abs=1e-5)


def test_r_drop_brings_two_passes_together() -> None:
    def apart(weight: float) -> float:
        model, task, method = bert(dropout=0.3)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        torch.manual_seed(1)
        for _ in range(60):
            optimizer.zero_grad()
            backward(model, task, method, tokens(), TARGETS, np.arange(ROWS), TrainingConfig(r_drop=weight), "fp32")
            optimizer.step()
        with torch.no_grad():
            passes = [model(**batch()).logits for _ in range(20)]
        return float(np.mean([task.divergence(one, two).mean() for one, two in pairwise(passes)]))

    assert apart(10.0) < 0.5 * apart(0.0)


def test_r_drop_sends_half_as_many_texts_at_once() -> None:
    model, task, method = bert()
    seen: list[int] = []
    model.register_forward_hook(
        lambda _, args, given, output: seen.append(given["input_ids"].numel()), with_kwargs=True
    )
    settings = TrainingConfig(r_drop=1.0, max_batch_tokens=40)
    backward(model, task, method, tokens(), TARGETS, np.arange(ROWS), settings, "fp32")
    assert len(seen) > 2
    assert sum(seen) >= 2 * sum(LENGTHS)


def test_supervised_contrast_is_the_equation() -> None:
    """Text by text, in a loop over pairs."""
    weight, temperature = 0.4, 0.2
    model, task, method = bert()
    given = batch()
    pooled = model.bert(**given).pooler_output
    vectors = (pooled / pooled.norm(dim=1, keepdim=True)).detach().numpy().astype(np.float64)
    contrast = []
    for i in range(ROWS):
        others = [k for k in range(ROWS) if k != i]
        below = sum(np.exp(vectors[i] @ vectors[k] / temperature) for k in others)
        partners = [k for k in others if TARGETS[k] == TARGETS[i]]
        terms = [np.log(np.exp(vectors[i] @ vectors[k] / temperature) / below) for k in partners]
        contrast.append(-sum(terms) / len(partners) if partners else 0.0)
    plain = method.loss(model, task, given, TARGETS, np.arange(ROWS)).detach().numpy()
    settings = TrainingConfig(supcon=weight, supcon_temperature=temperature)
    found = regularised(method.loss, settings)(model, task, given, TARGETS, np.arange(ROWS))
    assert contrast[2] == 0.0  # the only one of its class
    assert found.detach().numpy() == pytest.approx((1 - weight) * plain + weight * np.array(contrast), abs=1e-5)


def test_with_r_drop_the_other_pass_is_a_partner() -> None:
    model, task, method = bert()
    settings = TrainingConfig(supcon=0.5, r_drop=1.0)
    alone = regularised(method.loss, settings)(model, task, batch(), TARGETS, np.arange(ROWS))[2]
    plain = method.loss(model, task, batch(), TARGETS, np.arange(ROWS))[2]
    assert float((alone - 0.5 * plain).detach()) > 0.1


def test_supervised_contrast_sees_the_last_token_of_a_decoder() -> None:
    torch.manual_seed(0)
    shape = {"vocab_size": 30, "n_embd": 16, "n_layer": 1, "n_head": 2, "num_labels": 3, "pad_token_id": 0}
    model = GPT2ForSequenceClassification(GPT2Config(**shape)).eval()
    _, task, method = bert()
    loss = regularised(method.loss, TrainingConfig(supcon=0.5))
    four = torch.tensor([[5, 6, 7, 8], [9, 4, 5, 6], [4, 4, 9, 7]])
    texts = [torch.nn.functional.pad(four, (0, padding)) for padding in (0, 3)]
    batches = [{"input_ids": each, "attention_mask": (each > 0).long()} for each in texts]
    short, padded = (loss(model, task, each, torch.tensor([1, 1, 0]), np.arange(3)) for each in batches)
    assert torch.allclose(short, padded, atol=1e-5)


def run_config(source: Path, task: str, method: str | dict[str, Any], **training: object) -> RunConfig:
    plain = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32", "report_to": []}
    model = {"source": str(source), "max_tokens": 16}
    settings = {"data": {"source": "x.csv"}, "task": task, "method": method, "model": model}
    return parse_config(settings | {"training": plain | training})


STEPPED = [name for name in METHODS.names() if issubclass(METHODS.get(name), GradientMethod)]
JUDGING = [name for name in STEPPED if METHODS.get(name).trains_answers and not refusals(name)["classification"]]


@pytest.mark.long
@pytest.mark.parametrize("method", JUDGING)
def test_every_method_trained_in_steps_takes_them_all(
    tiny_model: Path, made_up: Any, options_of: Any, tmp_path: Path, method: str
) -> None:
    chosen = {"type": method, **options_of(method, "classification")}
    settings = run_config(tiny_model, "classification", chosen, r_drop=1.0, fgm=0.5, supcon=0.2)
    run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    assert run.status == "finished"
    assert np.isfinite(run.info["best_dev"]["macro_f1"])


@pytest.mark.parametrize("task", [name for name in TASKS.names() if not TASKS.get(name).generates])
def test_every_task_takes_fgm_and_those_on_whole_texts_r_drop(
    tiny_model: Path, made_up: Any, tmp_path: Path, task: str
) -> None:
    settings = run_config(tiny_model, task, "full", r_drop=float(TASKS.get(task).layout == "whole"), fgm=0.5)
    run = tune(settings, snapshot=made_up(task), workspace=Workspace(tmp_path), quiet=True)
    assert run.status == "finished"


@pytest.mark.parametrize(
    ("task", "method", "training", "reason"),
    [
        ("tagging", "full", {"r_drop": 1.0}, "r_drop needs one answer for each text as a whole, which task tagging"),
        ("similarity", "full", {"supcon": 0.1}, "supcon needs one answer for each text as a whole"),
        ("multilabel", "full", {"supcon": 0.1}, "supcon needs one class for each text, which task multilabel"),
        ("regression", "lora", {"supcon": 0.1}, "supcon needs one class for each text, which task regression"),
        ("classification", "contrastive", {"supcon": 0.1}, "supcon needs answers, which method contrastive"),
        ("classification", "contrastive", {"r_drop": 1.0}, "r_drop needs answers, which method contrastive"),
        ("classification", "probe", {"fgm": 1.0}, "fgm needs training in steps, which method probe"),
        ("generation", "full", {"fgm": 1.0}, "fgm moves the words of each text, and task generation packs texts"),
    ],
)
def test_where_one_makes_no_sense_it_says_why_before_anything_is_written(
    tiny_model: Path,
    chat_model: Path,
    made_up: Any,
    tmp_path: Path,
    task: str,
    method: str,
    training: dict[str, float],
    reason: str,
) -> None:
    settings = run_config(chat_model if TASKS.get(task).generates else tiny_model, task, method, **training)
    with pytest.raises(ConfigError, match=reason):
        tune(settings, snapshot=made_up(task), workspace=Workspace(tmp_path), quiet=True)
    assert not list(tmp_path.iterdir())


def test_r_drop_without_dropout_is_refused(tiny_model: Path, made_up: Any, tmp_path: Path) -> None:
    settings = run_config(tiny_model, "classification", "full", r_drop=1.0)
    settings = settings.model_copy(update={"task": TaskConfig(type="classification", dropout=0.0)})
    with pytest.raises(ConfigError, match="the dropout of this model is 0") as refused:
        tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
    assert "task.dropout" in refused.value.hint


def test_a_plan_runs_the_same_passes(tiny_model: Path, made_up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.bert.modeling_bert import BertModel

    def texts(**training: float) -> int:
        counted, forward = [0], BertModel.forward

        def count(self: Any, *args: Any, **given: Any) -> Any:
            counted[0] += len(args[0]) if self.training else 0
            return forward(self, *args, **given)

        with monkeypatch.context() as patch:
            patch.setattr(BertModel, "forward", count)
            plan(run_config(tiny_model, "classification", "full", **training), snapshot=made_up("classification"))
        return counted[0]

    plain = texts()
    assert plain > 0
    assert texts(r_drop=1.0) == texts(fgm=1.0) == 2 * plain
    assert texts(r_drop=1.0, fgm=1.0) == 4 * plain
