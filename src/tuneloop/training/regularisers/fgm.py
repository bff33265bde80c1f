"""Adversarial training (FGM): a second pass in which each text's word vectors are moved to where the loss grows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

SMALLEST = 1e-12


def passes(model: PreTrainedModel, length: float) -> Iterator[None]:
    """Yields once, and where `length` is not 0 again with moved word vectors; each time a loss and its gradient follow.

    Miyato et al., "Adversarial Training Methods for Semi-Supervised Text Classification" (2017), equation 5:
    r = length x g / |g|, g being the gradient of the loss with respect to the word vectors of a text. The output of
    the embedding layer is moved, not its weights: they may be frozen, and nothing has to be put back.
    """
    if not length:
        yield
        return
    words: Any = model.get_input_embeddings()
    seen: list[torch.Tensor] = []

    def watch(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        vectors = output if output.requires_grad else output.detach().requires_grad_()
        vectors.retain_grad()
        seen.append(vectors)
        return vectors

    yield from _with_hook(words, watch)
    # what was read only to be a target of others has no gradient, and stays where it is
    steps = [0.0 if vectors.grad is None else _towards(vectors.grad, length) for vectors in seen]
    seen.clear()  # room for the second pass
    yield from _with_hook(words, lambda _, __, output: output + steps.pop(0))


def _with_hook(module: Any, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _towards(gradient: Any, length: float) -> torch.Tensor:
    """For each text the step of this length along its gradient (batch, tokens, hidden); none where that is 0."""
    norm = gradient.flatten(1).norm(dim=1).clamp(min=SMALLEST)
    step: torch.Tensor = gradient * (length / norm)[:, None, None]
    return step
