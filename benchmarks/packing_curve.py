"""Whether packing changes what is learnt: dev curves of one pass, packed and padded, with the noise of the order.

    python -m benchmarks.packing_curve [--steps 24] [--seeds 1,2]

Both sides take the same batches of talks, dealt by chance, and the same optimiser.
Writes `benchmarks/quality/packing_curve.json`: of each curve the dev log-likelihood per token after every few steps,
the largest distance of the mean curves, and for comparison that of the padded curves of different seeds.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.methods import values
from benchmarks.results import QUALITY
from benchmarks.writers import likelihood, optimizer_of, orders, packed_step, padded_step, prepared
from tuneloop.core.fsio import write_json

BATCH, EVERY = 16, 6
PATH = QUALITY / "packing_curve.json"


def curve(*, packed: bool, steps: int, seed: int) -> list[float]:
    """Dev log-likelihood after 0, `EVERY`, ... `steps` optimiser steps."""
    ready, config = prepared(batch_size=BATCH)
    step = packed_step(ready, config) if packed else padded_step(ready)
    optimizer, found = optimizer_of(ready.model), [likelihood(ready, ready.model)]
    order = orders(ready, BATCH * steps, BATCH, seed=seed)
    for number, rows in enumerate(order, start=1):
        ready.model.train()
        step(rows)
        optimizer.step(), optimizer.zero_grad(set_to_none=True)
        if number % EVERY == 0 or number == len(order):
            found.append(likelihood(ready, ready.model))
            print(f"{'packed' if packed else 'padded'}, seed {seed}, step {number}: {found[-1]:.4f}", flush=True)
    return found


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seeds", type=values, default=[1, 2])
    options = parser.parse_args()
    curves: dict[str, Any] = {"packed": {}, "padded": {}}
    for seed in options.seeds:
        for packed in (True, False):
            found = curve(packed=packed, steps=options.steps, seed=seed)
            curves["packed" if packed else "padded"][f"seed {seed}"] = [round(value, 4) for value in found]
    packed_mean, padded = (np.array(list(curves[side].values())) for side in ("packed", "padded"))
    QUALITY.mkdir(exist_ok=True)
    distances = {
        "largest distance of the mean curves": float(np.abs(packed_mean.mean(0) - padded.mean(0)).max()),
        "largest distance between padded curves of two seeds": float(np.ptp(padded, axis=0).max()),
    }
    rounded = {name: round(value, 4) for name, value in distances.items()}
    write_json(PATH, {"command": "python -m benchmarks.packing_curve", "steps between": EVERY, **curves, **rounded})
    print(json.dumps(rounded, indent=2))


if __name__ == "__main__":
    main()
