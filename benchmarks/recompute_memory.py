"""Peak memory of training steps of a language model with and without gradient checkpointing.

`python -m benchmarks.recompute_memory kept|again [TOKENS [STEPS]]` is one process: LoRA on packed rows of TOKENS tokens
(4096) for STEPS steps (3); it prints its peak in MB beyond the loaded model, and seconds of a step.
"""

from __future__ import annotations

import sys
import time


def measured(again: bool, tokens: int, steps: int) -> tuple[float, float]:
    """Peak memory beyond the loaded model, in MB, and seconds of a step."""
    import torch

    from benchmarks.packing import SOURCE
    from tuneloop.core.config import MethodConfig, TaskConfig
    from tuneloop.methods import create_method
    from tuneloop.models.device import autocast, peak_memory_bytes
    from tuneloop.models.load import load_writer
    from tuneloop.models.source import resolve
    from tuneloop.tasks import create_task
    from tuneloop.training.cpu import use_cheap_operations
    from tuneloop.training.recompute import recomputed

    width = min(tokens, 512)
    task, model = create_task(TaskConfig(type="generation"), {}), load_writer(resolve(SOURCE))
    create_method(MethodConfig(type="lora")).prepare(model)
    use_cheap_operations(model, "bf16")
    ids = torch.randint(100, 40_000, (tokens // width, width), generator=torch.Generator().manual_seed(0))
    batch, marks = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.ones_like(ids)
    marks[:, 0] = 0
    loaded, began_s = peak_memory_bytes("cpu"), time.perf_counter()
    with recomputed(model.train(), wanted=again):
        for _ in range(steps):
            with autocast("bf16", "cpu"):
                loss = task.losses(model, batch, marks).sum()
            loss.backward()
            model.zero_grad(set_to_none=True)
    return (peak_memory_bytes("cpu") - loaded) / 1e6, (time.perf_counter() - began_s) / steps


if __name__ == "__main__":
    side, *sizes = sys.argv[1:]
    print(*measured(side == "again", *map(int, (sizes + ["4096", "3"][len(sizes) :])[:2])))
