"""How much of what the machine can do a training has used."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.models.flops import Flops, counted, fitted
from tuneloop.models.forward import input_names
from tuneloop.models.frozen import frozen_prefix
from tuneloop.models.roofline import known
from tuneloop.training.steps import Steps

if TYPE_CHECKING:
    from tuneloop.core.config import TrainingConfig
    from tuneloop.training.checkpoint import Place
    from tuneloop.training.prepare import Prepared

    IntArray = np.ndarray[Any, np.dtype[Any]]


def utilisation(ready: Prepared, steps: Steps, place: Place, *, cache: Path) -> dict[str, float]:
    """What run.json says of the machine's use in the steps; nothing before `tuneloop doctor --roofline` was run.

    Returns:
        flops_per_s: operations that the trained texts need, in a second of the steps: see `models.flops`.
        flops_share: the same as a share of the best matrix products that were measured in this precision, of each
            process where several train.
    """
    roofline = known(cache)
    peak = roofline.peak(ready.precision) if roofline else None
    if not peak or not place.steps_s or not _is_countable(ready):
        return {}
    tokens = ready.train.tokens
    cost = training_flops(ready, steps.config, cache)
    done = np.concatenate([rows for _, rows in islice(steps.since(0), place.step)])
    per_second = cost.of(tokens.lengths[done]) / place.steps_s
    return {"flops_per_s": per_second, "flops_share": per_second / peak / place.ranks}


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
        rows, length = np.array([row]), int(tokens.lengths[row])
        arrays = tokens.batch(rows, width=length)  # nothing of it is padding
        batch = {name: torch.from_numpy(arrays[name]).to(model.device) for name in input_names(model)}

        def gradients() -> None:
            torch.autograd.grad(prefix.loss(answers)(model, None, batch, None, rows), weights, allow_unused=True)

        return length, counted(gradients)

    with prefix:
        return fitted(map(learnt, spread(tokens.lengths)))


def spread(lengths: IntArray) -> list[int]:
    """A short, a middling and a long text: their rows, fewer where lengths repeat."""
    order = np.argsort(lengths, kind="stable")
    chosen = [int(order[place]) for place in (0, len(order) // 2, len(order) - 1)]
    return list({int(lengths[row]): row for row in chosen}.values())


def _is_countable(ready: Prepared) -> bool:
    """Whether a step reads each text once, alone, as one sequence of tokens."""
    return not hasattr(ready.model, "media_inputs") and not ready.model.config.is_encoder_decoder
