"""What every task promises that reads windows, choices or texts apart, checked on the tokens of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import TaskConfig
from tuneloop.data.token_cache import cached_tokens
from tuneloop.tasks import TASKS, create_task
from tuneloop.tasks.base import Task
from tuneloop.tasks.stored import pack_scores, unpack_scores

PARTED = [name for name in TASKS.names() if TASKS.get(name).layout not in ("whole", "written")]
WIDTH = 6


@pytest.fixture(params=PARTED)
def name(request: pytest.FixtureRequest) -> str:
    """A task that reads an input in parts."""
    return str(request.param)


def learnt(name: str, data: Any) -> Task:
    task = create_task(TaskConfig(type=name), {"labels": data.labels})
    task.meet(SimpleNamespace(hidden_size=WIDTH))
    task.learn(data.split("train").labels)
    return task


def asked(name: str, made_up: Any, tiny_model: Path) -> tuple[Task, Any, Any, Any]:
    """The task, some rows, their tokens in small windows, and random logits."""
    task, rows = learnt(name, made_up(name)), made_up(name).split("dev")
    tokens = task.tokenizer(tiny_model, 8).encode(rows.inputs)
    random, width = np.random.default_rng(0), -(-int(tokens.lengths.max()) // 8) * 8
    shape = (len(tokens), width, task.outputs) if task.per_token else (len(tokens), task.outputs)
    return task, rows, tokens, random.normal(size=shape).astype(np.float32)


def test_targets_loss_scores_and_answers_agree(name: str, made_up: Any, tiny_model: Path) -> None:
    task, rows, tokens, random = asked(name, made_up, tiny_model)
    targets, logits = task.aligned(rows.labels, tokens, rows.inputs), torch.from_numpy(random).requires_grad_(True)
    loss = task.loss(logits, torch.from_numpy(targets))
    assert len(targets) == len(tokens) == len(loss)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and logits.grad.abs().sum() > 0
    scores = task.answers(random, tokens, rows.inputs)
    assert len(scores) == len(rows)
    figures = task.metrics(rows.labels, scores)
    assert task.primary_metric in figures
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in figures.values())
    assert len(task.decide(scores)) == len(task.predictions(scores)) == len(task.sureness(rows.labels, scores)) == 45
    assert task.changes(scores, scores).max() == 0


def test_gradient_steps_lead_to_the_right_answers(name: str, made_up: Any, tiny_model: Path) -> None:
    task, rows, tokens, random = asked(name, made_up, tiny_model)
    logits, targets = torch.from_numpy(random).requires_grad_(True), task.aligned(rows.labels, tokens, rows.inputs)
    # each row's vectors are free here, so that only its own passage can come first
    metric = "mrr_at_10" if name == "retrieval" else task.primary_metric
    before = task.metrics(rows.labels, task.answers(random, tokens, rows.inputs))[metric]
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        task.loss(logits, torch.from_numpy(targets)).sum().backward()
        optimizer.step()
    after = task.metrics(rows.labels, task.answers(logits.detach().numpy(), tokens, rows.inputs))[metric]
    assert after > max(before, 0.9 if name == "retrieval" else 0.97)


def test_answers_survive_json_bytes_and_a_task_that_is_read_back(name: str, made_up: Any, tiny_model: Path) -> None:
    task, rows, tokens, random = asked(name, made_up, tiny_model)
    scores = task.answers(random, tokens, rows.inputs)
    assert task.changes(scores, unpack_scores(pack_scores(scores))).max() == 0
    sent = json.loads(json.dumps([each.to_json() for each in task.predictions(scores)]))
    assert task.changes(scores, task.scores_of(sent, scores)).max() < 1e-6
    copy = create_task(TaskConfig(type=name), json.loads(json.dumps(task.state)))
    assert copy.state == task.state and copy.outputs == task.outputs
    assert copy.changes(scores, copy.answers(random, tokens, rows.inputs)).max() == 0


def test_part_of_the_inputs_is_answered_alike(name: str, made_up: Any, tiny_model: Path) -> None:
    task, rows, tokens, random = asked(name, made_up, tiny_model)
    few = [7, 3, 20]
    part, inputs = tokens.of_inputs(few), [rows.inputs[row] for row in few]
    kept = np.concatenate([np.flatnonzero(tokens.owners == row) for row in few])
    whole, alone = task.answers(random, tokens, rows.inputs), task.answers(random[kept], part, inputs)
    assert task.changes(whole[few], alone).max() < 1e-6
    again = task.tokenizer(tiny_model, 8).encode(inputs)
    assert again.ids.tolist() == part.ids.tolist() and again.owners.tolist() == part.owners.tolist()
    assert again.places is part.places is None or again.places.tolist() == part.places.tolist()


def test_tokens_come_back_from_the_cache(name: str, made_up: Any, tiny_model: Path, tmp_path: Path) -> None:
    task, inputs = learnt(name, made_up(name)), made_up(name).split("dev").inputs
    tokenizer = task.tokenizer(tiny_model, 8)
    first, second = (cached_tokens(tokenizer, inputs, tmp_path) for _ in range(2))
    assert len(list(tmp_path.rglob("*.arrow"))) == 1
    for one, other in ((first, second), (first, tokenizer.encode(inputs))):
        assert one.bound == other.bound and one.owners.tolist() == other.owners.tolist()
        assert one.ids.tolist() == other.ids.tolist() and one.groups.tolist() == other.groups.tolist()
        assert one.places is other.places is None or one.places.tolist() == other.places.tolist()


def test_a_label_that_fits_no_text_is_refused_with_a_reason(name: str) -> None:
    kind = TASKS.get(name)
    bad = {
        "tagging": [("a b", None, [{"start": 0, "end": 9, "label": "x"}]), (["a"], None, ["O", "O"]), ("a", None, "[")],
        "qa": [("q", "a b", "c"), ("q", "a b", [3])],
        "multiple_choice": [("q", "a", 0), ("q", ["a", "a"], 0), ("q", ["a", "b"], 2), ("q", ["a", "b"], None)],
    }.get(name, [])
    for row in bad:
        with pytest.raises(ValueError, match=r"\w+"):
            kind.parse_row(*row)
