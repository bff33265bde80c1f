"""Learning without forgetting: the new model goes on answering as the old one did, for the classes that it knew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, Loss
    from tuneloop.tasks.base import Task


def with_lwf(loss: Loss, *, before: torch.Tensor, weight: float, temperature: float) -> Loss:
    """The loss + weight x T^2 x KL(old / T || new / T) over the old classes.

    Li and Hoiem, "Learning without Forgetting" (2016), equation 2, as a KL divergence: it has the same gradient. New
    classes are left out, so that they may take what they need. Replayed rows are answered as before too.

    Args:
        before: the old model's logits of the training rows, (n, old classes); rows beyond them are not held.
    """

    def held(
        model: PreTrainedModel, task: Task, batch: dict[str, torch.Tensor], targets: torch.Tensor, rows: IntArray
    ) -> torch.Tensor:
        import torch

        answers: list[torch.Tensor] = []

        def listen(_: Any, __: Any, output: Any) -> None:
            answers.append(output.logits.float())

        hook = model.register_forward_hook(listen)
        try:
            own = loss(model, task, batch, targets, rows)
        finally:
            hook.remove()
        numbers = torch.as_tensor(rows, device=own.device)
        known = numbers < len(before)
        said = before[numbers.clamp(max=len(before) - 1)]
        now = answers[-1][:, : before.shape[1]]
        apart = temperature**2 * task.divergence(said / temperature, now / temperature)
        return own + weight * apart * known

    return held
