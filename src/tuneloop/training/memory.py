"""What a step will keep in memory, counted from the passes of a few texts before the first step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from tuneloop.models.flops import fitted, spread
from tuneloop.models.forward import alone
from tuneloop.training.regularisers import tokens_per_part

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.data.tokens import Tokens

MOMENTS = {"adamw": 8, "adam": 8, "adamw_8bit": 2, "sgd": 4}
"""Bytes that an optimiser keeps for each trained weight."""

HEAP_GROWTH = 1.1
"""What a run takes on the CPU of the memory that is counted: batches of ever new shapes leave holes in the heap.
Measured with MiniLM in fp32 on 1,000 and 4,000 texts (`benchmarks.foresight`): about 1; a tenth is left for others."""


def generous_bytes(model: PreTrainedModel, config: TrainingConfig) -> float:
    """More than `step_bytes` can be, from the shape of a transformer alone; no end where the shape is not told.

    Twice the 34 s b h + 5 a s² b bytes for each layer of Korthikanti et al., "Reducing Activation Recomputation in
    Large Transformer Models" (2022), which are of 16 bits.
    """
    shape = [
        getattr(model.config, name, None)
        for name in ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    ]
    if not all(isinstance(each, int) for each in shape):
        return math.inf
    hidden, layers, heads, longest = cast("list[int]", shape)
    budget = config.max_batch_tokens
    layer = 2 * budget * (34 * hidden + 5 * heads * min(longest, budget))
    return 4 * 4 * sum(weight.numel() for weight in model.parameters()) + layers * layer


def step_bytes(model: PreTrainedModel, tokens: Tokens, config: TrainingConfig, *, pieces: int = 1) -> int:
    """Bytes that training takes beyond the loaded model: gradients, the optimiser, the average, and what layers keep.

    Computing layers again is not thought of. What a loss keeps beyond the model's answer does not count.

    Args:
        pieces: among how many processes the weights are shared out.
    """
    trained = sum(weight.numel() * weight.element_size() for weight in model.parameters() if weight.requires_grad)
    weights = trained * (1 + MOMENTS[config.optimizer] / 4 + bool(config.ema)) / pieces
    grow = HEAP_GROWTH if model.device.type == "cpu" else 1.0
    return int(weights + grow * kept_bytes(model, tokens, config))


def kept_bytes(model: PreTrainedModel, tokens: Tokens, config: TrainingConfig) -> float:
    """Bytes that layers keep for the gradient in the largest forward pass."""
    lengths = tokens.lengths
    each = fitted((int(lengths[row]), _kept(model, alone(model, tokens, row))) for row in spread(lengths))
    budget = tokens_per_part(config)
    # of texts of one length, as many as a pass takes: long ones keep most where attention is written out
    widths = np.unique(np.maximum(lengths, 1))
    texts = np.maximum(1, np.minimum(budget // widths, config.batch_size))
    return max(float(count) * each.of([width]) for count, width in zip(texts, widths, strict=True))


def _kept(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> int:
    """Bytes of the distinct tensors that a pass in training mode keeps, the weights not counted."""
    import torch

    weights = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # held, so that no other takes its place
        return tensor

    training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.train()
        model(**batch)
    model.train(training)
    return sum(storage.nbytes() for storage in kept.values())
