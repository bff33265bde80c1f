"""What holds a model in training to what it was: EWC and L2-SP beside the loss, LwF around it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.training.continual.fisher import fisher, read_fisher, write_fisher
from tuneloop.training.continual.lwf import with_lwf
from tuneloop.training.continual.weights import Moved, moving

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

    from tuneloop.core.continual import ContinualConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.methods.base import Loss
    from tuneloop.tasks.base import Task
    from tuneloop.training.continual.fisher import Fisher


class Held:
    """Nothing at first; `remember`, `weigh` and `teach` add what is held.

    It is the same whenever a run starts or goes on: all of it comes from the old model and the rows.

    Args:
        outputs: outputs of the last layer that are not new.
    """

    def __init__(self, config: ContinualConfig, outputs: int) -> None:
        self.config, self.outputs = config, outputs
        self.weights: list[Moved] = []
        self.fisher: Fisher = {}
        self.before: torch.Tensor | None = None

    def remember(self, model: PreTrainedModel, known: Collection[str]) -> None:
        """Take where the weights are now as where they are pulled back to."""
        self.weights = moving(model, known=known, old_outputs=self.outputs)

    def weigh(self, model: PreTrainedModel, task: Task, tokens: Tokens, *, seed: int, path: Path | None) -> None:
        """Find how much old answers hang on each weight, or read it where it is kept."""
        found = path and read_fisher(path, self.weights)
        if not found:
            found = fisher(model, task, self.weights, tokens, outputs=self.outputs, seed=seed)
            if path:
                write_fisher(path, found)
        self.fisher = found

    def teach(self, logits: np.ndarray[Any, Any], device: torch.device) -> None:
        """Take what the old model says of the training rows, (n, old classes)."""
        import torch

        self.before = torch.from_numpy(logits).to(device)

    def around(self, loss: Loss) -> Loss:
        """A method's loss with what belongs to each text."""
        if self.before is None:
            return loss
        return with_lwf(loss, before=self.before, weight=self.config.lwf, temperature=self.config.lwf_temperature)

    def penalty(self, model: PreTrainedModel) -> torch.Tensor | None:
        """ewc / 2 x the sum of Fisher x moved^2, and l2_sp / 2 x the sum of moved^2; None where neither is on.

        Kirkpatrick et al. (2017), equation 3; Li et al., "Explicit Inductive Bias for Transfer Learning with
        Convolutional Networks" (2018), equation 4, whose decay of new weights is the optimiser's.
        """
        total: torch.Tensor | None = None
        for each in self.weights:
            moved = each.difference.float().square()
            part = self.config.l2_sp / 2 * moved.sum()
            if self.fisher:
                part = part + self.config.ewc / 2 * (self.fisher[each.name] * moved).sum()
            total = part if total is None else total + part
        return total
