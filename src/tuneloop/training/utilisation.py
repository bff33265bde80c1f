"""How much of what the machine can do a training has used."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.models.flops import Flops, counted, fitted, spread
from tuneloop.models.forward import alone, reads_one_sequence
from tuneloop.models.frozen import frozen_prefix
from tuneloop.models.roofline import known
from tuneloop.training.steps import Steps

if TYPE_CHECKING:
    from tuneloop.core.config import TrainingConfig
    from tuneloop.training.checkpoint import Place
    from tuneloop.training.prepare import Prepared


def utilisation(ready: Prepared, steps: Steps, place: Place, *, cache: Path) -> dict[str, float]:
    """What run.json says of the machine's use in the steps; nothing before `tuneloop doctor --roofline` was run.

    Returns:
        flops_per_s: operations that the trained texts need, in a second of the steps: see `models.flops`.
        flops_share: the same as a share of the best matrix products that were measured in this precision.
    """
    roofline = known(cache)
    peak = roofline.peak(ready.precision) if roofline else None
    if not peak or not place.steps_s or not reads_one_sequence(ready.model):
        return {}
    tokens = ready.train.tokens
    cost = training_flops(ready, steps.config, cache)
    done = np.concatenate([rows for _, rows in islice(steps.since(0), place.step)])
    per_second = cost.of(tokens.lengths[done]) / place.steps_s
    return {"flops_per_s": per_second, "flops_share": per_second / peak}


def training_flops(ready: Prepared, config: TrainingConfig, cache: Path) -> Flops:
    """Operations of learning from a text once: its answer, and the gradients of what is trained.

    What frozen layers say is left out where it is kept on disk, and the gradients of frozen weights always.
    """
    import torch

    model, tokens = ready.model, ready.train.tokens
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    prefix, frozen = frozen_prefix(model), ready.frozen_cache(config, cache)
    model.eval()
    if frozen:
        prefix.keep(tokens, ready.precision, folder=frozen, limit_bytes=config.frozen_cache_bytes, quiet=True)

    def answers(model: Any, task: Any, batch: Any, targets: Any, rows: Any) -> torch.Tensor:
        return model(**batch).logits.float().sum()  # type: ignore[no-any-return]

    def learnt(row: int) -> tuple[int, int]:
        rows, batch = np.array([row]), alone(model, tokens, row)

        def gradients() -> None:
            torch.autograd.grad(prefix.loss(answers)(model, None, batch, None, rows), weights, allow_unused=True)

        return int(tokens.lengths[row]), counted(gradients)

    with prefix:
        return fitted(map(learnt, spread(tokens.lengths)))
