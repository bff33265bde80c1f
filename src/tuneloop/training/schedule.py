"""The learning rate and the averaging of each step, as pure functions: nothing to save, nothing to restore wrongly."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["linear", "cosine", "constant"]


def rate_factor(step: int, *, total: int, warmup: float, schedule: Schedule) -> float:
    """What the peak learning rate is multiplied with at `step`.

    Args:
        step: number of the step, from 0.
        total: steps of the whole run.
        warmup: share of the steps in which the rate rises linearly.
        schedule: linear falls to 0; cosine follows half a cosine to 0 (Loshchilov and Hutter,
            "SGDR", 2017, equation 5, one cycle); constant stays.
    """
    rising = math.ceil(total * warmup)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    done = (step - rising) / max(total - rising, 1)
    return 1 - done if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def ema_decay(step: int, decay: float) -> float:
    """How much of the running average of the weights is kept at `step`.

    It rises to `decay` as (1 + step) / (10 + step), so that a short run forgets the weights it began
    with (TensorFlow's ExponentialMovingAverage with `num_updates`).
    """
    return min(decay, (1 + step) / (10 + step))
