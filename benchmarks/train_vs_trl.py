"""Tuning a language model on dialogues with tuneloop against the SFTTrainer of TRL."""

from __future__ import annotations

import time
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import alternate
from benchmarks.results import Result, result
from benchmarks.writers import LEARNING_RATE, likelihood, orders, packed_step, prepared, tokens_per_s

BATCH, STEPS, WARM_UP = 8, 8, 2

TUNED = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}
"""What makes SFTTrainer faster on this data; its packing and padding-free batches need kernels of a GPU."""


def run(name: str) -> Result:
    """Real tokens per second of LoRA training on the sample dialogues-en, forward, backward and optimiser."""
    tuned = name.endswith("_tuned")
    losses: dict[str, float] = {}
    sides = alternate(partial(_ours, losses), partial(_theirs, losses, TUNED if tuned else {}))
    settings = ", ".join(f"{key}={value}" for key, value in TUNED.items()) if tuned else "defaults"
    return result(
        name, sides, ours="tuneloop tune, method lora: packed rows, loss in chunks",
        peer=f"trl.SFTTrainer, {settings}, with the same model, LoRA of the same layers and rank, batch size and rate; "
        "bf16, loss on the answer alone", peer_package="trl", unit="tokens/s",
        quality={
            "dev log-likelihood per token after the same number of steps, tuneloop": round(losses["ours"], 4),
            "the same, SFTTrainer": round(losses["theirs"], 4), "steps": WARM_UP + STEPS, "batch": BATCH,
        },
    )  # fmt: skip


def _ours(losses: dict[str, float], repetition: int) -> float:
    ready, config = prepared(batch_size=BATCH, learn="last")
    order = orders(ready, BATCH * (WARM_UP + STEPS), BATCH)
    speed = tokens_per_s(ready, packed_step(ready, config), order, warm_up=WARM_UP)
    if repetition == 1:
        losses["ours"] = likelihood(ready, ready.model)
    return speed


def _theirs(losses: dict[str, float], settings: dict[str, Any], repetition: int) -> float:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    ready, _ = prepared(batch_size=BATCH, learn="last")
    model = AutoModelForCausalLM.from_pretrained(ready.source, dtype="float32")
    rows = orders(ready, BATCH * (WARM_UP + STEPS), BATCH)
    talks = [_talk(ready, row) for each in rows for row in each.tolist()]
    with TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, max_steps=WARM_UP + STEPS, learning_rate=LEARNING_RATE, lr_scheduler_type="constant",
            weight_decay=0.0, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True,
            include_num_input_tokens_seen="non_padding", **settings,
        )  # fmt: skip
        clock = _clock()
        trainer = SFTTrainer(
            model, config, train_dataset=Dataset.from_list(talks), callbacks=[clock], peft_config=_lora(ready.model),
            processing_class=AutoTokenizer.from_pretrained(ready.source),
        )  # fmt: skip
        trainer.train()
    if repetition == 1:
        losses["theirs"] = likelihood(ready, trainer.model.get_base_model())
    return float(clock.tokens_per_s)


def _talk(ready: Any, row: int) -> dict[str, Any]:
    """The prompt as messages, and the answer as the one message that is learnt."""
    from tuneloop.data.conversation import to_messages

    prompt = [message._asdict() for message in to_messages(ready.train.inputs[row])]
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": ready.train.labels[row]}]}


def _lora(model: Any) -> Any:
    """The LoRA that tuneloop put on `model`, as PEFT asks for it."""
    from peft import LoraConfig

    ours = model.peft_config["default"]
    return LoraConfig(
        r=ours.r, lora_alpha=ours.lora_alpha, lora_dropout=ours.lora_dropout,
        target_modules=sorted(ours.target_modules), task_type="CAUSAL_LM",
    )  # fmt: skip


def _clock() -> Any:
    """Counts the tokens that are no padding, and the seconds, after the warm-up."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        began_s, tokens_before, tokens_per_s = 0.0, 0, 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            if state.global_step == WARM_UP:
                self.began_s, self.tokens_before = time.perf_counter(), state.num_input_tokens_seen
            elif state.global_step == WARM_UP + STEPS:
                seconds = time.perf_counter() - self.began_s
                self.tokens_per_s = (state.num_input_tokens_seen - self.tokens_before) / seconds

    return Clock()
