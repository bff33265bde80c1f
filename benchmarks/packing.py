"""Tuning a language model on dialogues: texts packed without padding, against batches padded to their longest text."""

from __future__ import annotations

from functools import partial

from benchmarks.measure import alternate
from benchmarks.results import Result, result
from benchmarks.writers import likelihood, orders, packed_step, padded_step, prepared, tokens_per_s

BATCH, STEPS, WARM_UP = 16, 5, 1


def run(name: str) -> Result:
    """Real tokens per second of LoRA training on the sample dialogues-en, forward, backward and optimiser."""
    losses: dict[bool, float] = {}
    sides = alternate(partial(_speed, True, losses), partial(_speed, False, losses))
    return result(
        name, sides, ours="tuneloop tune, method lora: packed rows, loss in chunks",
        peer="the same model, method, batches and bf16: padded to the longest text, attention mask, "
        "logits of all tokens", peer_package="transformers", unit="tokens/s",
        quality={
            "dev log-likelihood per token after the same steps, tuneloop": round(losses[True], 4),
            "the same, padded": round(losses[False], 4), "steps": STEPS, "batch": BATCH,
        },
    )  # fmt: skip


def _speed(packed: bool, losses: dict[bool, float], repetition: int) -> float:
    """Tokens that are no padding, per second of `STEPS` steps after the warm-up."""
    ready, config = prepared(batch_size=BATCH)
    step = packed_step(ready, config) if packed else padded_step(ready)
    speed = tokens_per_s(ready, step, orders(ready, BATCH * (WARM_UP + STEPS), BATCH), warm_up=WARM_UP)
    if repetition == 1:
        losses[packed] = likelihood(ready, ready.model)
    return speed
