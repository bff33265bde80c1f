"""R-Drop: what two passes with different dropout say of a text must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, Loss
    from tuneloop.tasks.base import Task


def with_r_drop(loss: Loss, *, weight: float) -> Loss:
    """The mean loss of two passes + weight x the mean of both KL divergences between their answers.

    Wu et al., "R-Drop: Regularized Dropout for Neural Networks" (2021), equation 4, with the losses averaged as in
    the authors' code; both passes go through the model as one batch. `Task.divergence` is the KL divergence of the
    distribution whose likelihood is the task's loss: softmax, one sigmoid per class, or a normal distribution.
    """

    def twice(
        model: PreTrainedModel, task: Task, batch: dict[str, torch.Tensor], targets: torch.Tensor, rows: IntArray
    ) -> torch.Tensor:
        import torch

        doubled = {name: torch.cat([value, value]) for name, value in batch.items()}
        answers: list[torch.Tensor] = []

        def listen(_: Any, __: Any, output: Any) -> None:
            answers.append(output.logits.float())

        hook = model.register_forward_hook(listen)
        try:
            losses = loss(model, task, doubled, torch.cat([targets, targets]), np.concatenate([rows, rows]))
        finally:
            hook.remove()
        (logits,) = answers
        one, other = logits.chunk(2)
        apart = (task.divergence(one, other) + task.divergence(other, one)) / 2
        first, second = losses.chunk(2)
        return (first + second) / 2 + weight * apart

    return twice
