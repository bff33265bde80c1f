"""How much the answers to old rows hang on each weight: the diagonal of the Fisher information."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core.fsio import write_bytes
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.models.forward import to_tensors

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.tasks.base import Task
    from tuneloop.training.continual.weights import Moved

    Fisher = dict[str, torch.Tensor]


def fisher(
    model: PreTrainedModel, task: Task, weights: Sequence[Moved], tokens: Tokens, *, outputs: int, seed: int
) -> Fisher:
    """The mean, over texts, of the squared gradient of the loss on an answer drawn from the model itself.

    Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks" (2017); drawn and not the label that
    the text has, so that it is the Fisher information (Martens, "New Insights and Perspectives on the Natural Gradient
    Method", 2020, section 9). In evaluation mode, float32, one text at a time.

    Args:
        outputs: how many of the model's outputs there were before; of the others nothing is drawn.

    Returns:
        For each weight a tensor like it, or like the part of it that is held.
    """
    import torch

    random = torch.Generator().manual_seed(seed)
    found = {each.name: torch.zeros_like(each.difference) for each in weights}
    parameters = [each.weight for each in weights]
    with _alone(model, parameters), progress(t("what old answers hang on"), len(tokens)) as bar:
        for row in range(len(tokens)):
            logits = model(**to_tensors(model, tokens, np.array([row]))).logits.float()[:, :outputs]
            drawn = _drawn(logits.detach().cpu(), task, random).to(logits.device)
            gradients = torch.autograd.grad(_surprise(logits, drawn), parameters, allow_unused=True)
            for each, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    kept = found[each.name]
                    kept.add_(gradient[: len(kept)].square(), alpha=1 / len(tokens))
            bar.update(row + 1)
    return found


def read_fisher(path: Path, weights: Sequence[Moved]) -> Fisher | None:
    """What was kept in a safetensors file; None where it is missing, damaged or of other weights."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (OSError, SafetensorError):
        return None
    fits = {each.name: each.difference.shape for each in weights}
    if {name: value.shape for name, value in found.items()} != fits:
        return None
    return {each.name: found[each.name].to(each.weight.device) for each in weights}


def write_fisher(path: Path, found: Fisher) -> None:
    """Keep it as safetensors, in one step."""
    from safetensors.torch import save

    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({name: value.cpu().contiguous() for name, value in found.items()}))


@contextmanager
def _alone(model: PreTrainedModel, parameters: Sequence[torch.nn.Parameter]) -> Iterator[None]:
    """Inside the block these parameters alone want gradients, and the model is in evaluation mode."""
    before = {id(each): each.requires_grad for each in model.parameters()}
    training = model.training
    model.eval()
    model.requires_grad_(False)
    for each in parameters:
        each.requires_grad_(True)
    try:
        yield
    finally:
        for each in model.parameters():
            each.requires_grad_(before[id(each)])
        model.train(training)


def _drawn(logits: torch.Tensor, task: Task, random: torch.Generator) -> torch.Tensor:
    import torch

    if task.problem_type == "multi_label_classification":
        return torch.bernoulli(logits.sigmoid(), generator=random)
    return torch.multinomial(logits.softmax(dim=1), 1, generator=random)[:, 0]


def _surprise(logits: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """The negative log-likelihood of what was drawn, without class weights or smoothing."""
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    if drawn.ndim == 2:
        return binary_cross_entropy_with_logits(logits, drawn, reduction="sum")
    return cross_entropy(logits, drawn, reduction="sum")
