"""What `torch.compile` would save in training steps of an encoder on short texts, and what it costs first.

    python -m benchmarks.compiled [--steps 24] [--precision fp32]

Two models with the same weights see the same batches in turn, those of an epoch of `tuneloop tune`: one as it trains
(`training.cpu.use_cheap_operations`), one compiled, with dynamic shapes, as batches differ in rows and width. Both
without dropout, so that they must give the same loss, and, in another round, with the model's own. Counted are
processor seconds of forward and backward passes; what the first steps take is the price of compiling. Writes
`benchmarks/quality/compiled.json`, with the steps after which a compiled model has paid for itself.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np

from benchmarks.data import Sentiment
from benchmarks.release import default_config
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json

PATH = QUALITY / "compiled.json"
ROWS = 2000
WARM_UP = 8
"""Steps that compile, as some shapes are compiled for themselves, and are not counted."""


def measure(steps: int, precision: str, *, dropout: bool) -> dict[str, float]:
    """Processor seconds of a step of each, the price of compiling, and after how many steps it is paid back."""
    import torch

    from tuneloop.models.device import autocast
    from tuneloop.models.forward import to_tensors
    from tuneloop.training.cpu import use_cheap_operations
    from tuneloop.training.prepare import prepare
    from tuneloop.training.steps import Steps

    torch._dynamo.reset()
    config = default_config(report_to=[])
    ready = prepare(config, Sentiment(ROWS))
    tokens, batches = ready.train.tokens, Steps(ready.method, ready.train, config.training, 0).batches(0)
    own = ready.model.train(dropout)
    other = copy.deepcopy(own)
    use_cheap_operations(own, precision)
    models = {"as it is": own, "compiled": torch.compile(other, dynamic=True)}
    spent: dict[str, list[float]] = {name: [] for name in models}
    for rows in batches[: steps + WARM_UP]:
        losses = []
        for name, model in models.items():
            batch = to_tensors(own, tokens, rows)
            began_s = time.process_time()
            with autocast(precision, "cpu"):
                loss = model(**batch).logits.float().pow(2).mean()
            loss.backward()
            spent[name].append(time.process_time() - began_s)
            losses.append(float(loss.detach()))
            model.zero_grad(set_to_none=True)
        print({name: round(each[-1], 2) for name, each in spent.items()}, flush=True)
        assert dropout or precision == "bf16" or np.allclose(losses, losses[0], rtol=1e-3), losses
    step = {name: float(np.mean(each[WARM_UP:])) for name, each in spent.items()}
    price = sum(spent["compiled"][:WARM_UP]) - WARM_UP * step["compiled"]
    saved = step["as it is"] - step["compiled"]
    return {
        "as_it_is_cpu_s": round(step["as it is"], 3), "compiled_cpu_s": round(step["compiled"], 3),
        "compiled_against_as_it_is": round(step["compiled"] / step["as it is"], 3),
        "compiling_cpu_s": round(price, 1), "paid_back_after_steps": round(price / saved) if saved > 0 else -1,
    }  # fmt: skip


def main() -> None:
    """Measure and record."""
    import torch

    from tuneloop.models.device import choose_precision

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--precision", default=choose_precision("auto", "cpu"), choices=["fp32", "bf16"])
    options = parser.parse_args()
    found = {
        name: measure(options.steps, options.precision, dropout=dropout)
        for name, dropout in {"without dropout": False, "with dropout": True}.items()
    }
    settings = {"steps": options.steps, "precision": options.precision, "threads": torch.get_num_threads()}
    write_json(PATH, {"settings": settings, "ways": found, "machine": machine()})
    print(found)


if __name__ == "__main__":
    main()
