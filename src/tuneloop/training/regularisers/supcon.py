"""Supervised contrastive learning beside the task's loss: texts of a class move together before the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.methods.contrastive import supcon
from tuneloop.models.forward import heard_by_head

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, Loss
    from tuneloop.tasks.base import Task


def with_supcon(loss: Loss, *, weight: float, temperature: float) -> Loss:
    """(1 - weight) x loss + weight x supervised contrast of what the head receives, normalised to length 1.

    Gunel et al., "Supervised Contrastive Learning for Pre-trained Language Model Fine-tuning" (2021), equations 1 and
    3. A text is compared with those that go through the model with it; one without a partner adds nothing.
    """

    def contrasted(
        model: PreTrainedModel, task: Task, batch: dict[str, torch.Tensor], targets: torch.Tensor, rows: IntArray
    ) -> torch.Tensor:
        from torch.nn.functional import normalize

        with heard_by_head(model) as received:
            own = loss(model, task, batch, targets, rows)
        vectors = normalize(received(batch["attention_mask"]), dim=1)
        return (1 - weight) * own + weight * supcon(vectors @ vectors.T, targets[:, None] == targets, temperature)

    return contrasted
