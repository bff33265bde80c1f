"""Processes that share out the weights too: each holds a piece of every weight, of its gradient and of what the
optimiser knows of it, and a layer is whole only while it computes.

Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel" (2023), by torch's `fully_shard`; the
same as stage 3 of Rajbhandari et al., "ZeRO" (2020). Rows are shared out as ever, and gradients are summed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tuneloop.data.batches import bound_groups, split_by_tokens
from tuneloop.methods.full import LAYER
from tuneloop.models.device import free_memory_bytes
from tuneloop.models.next_token import AT_HAND
from tuneloop.training.distributed.pieces import in_pieces, whole
from tuneloop.training.distributed.ranks import JoinedRanks, Ranks, lost
from tuneloop.training.distributed.share import share
from tuneloop.training.tensor_file import take_part

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.training.distributed.ranks import IntArray

Value = TypeVar("Value")

SAFE_SHARE = 0.9
"""Of a GPU's free memory, that the whole model may take at the end."""


def sharing(ranks: Ranks, config: TrainingConfig) -> Ranks:
    """The same processes, sharing out the weights where `training.shard` says so and they are several."""
    return ShardedRanks(ranks) if config.shard and isinstance(ranks, JoinedRanks) else ranks


class ShardedRanks(JoinedRanks):
    """One of several processes that hold a piece of each weight; see `Ranks`."""

    def __init__(self, ranks: JoinedRanks) -> None:
        super().__init__(ranks.rank, ranks.size, device=ranks.device, launch=ranks.launch, again=ranks.again)
        self.pieces = ranks.size

    def device_of(self, model: PreTrainedModel) -> str:
        return self.device

    def spread(self, model: PreTrainedModel, precision: str) -> PreTrainedModel:
        """A model that holds the pieces; the one given keeps its modules, but its weights are empty until `put_back`.

        In bf16 weights are rounded before they are sent and gradients summed in fp32.
        """
        import torch
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

        self.equal([weight for weight in model.parameters() if weight.requires_grad])
        pieces = _moved_out(model)
        mesh = init_device_mesh(self.device, (self.size,))
        half = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
        policy = half if precision == "bf16" else MixedPrecisionPolicy()
        words = _words(pieces)
        for part in [*_layers(pieces), *words, pieces]:
            sharded = fully_shard(part, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
            sharded.set_gradient_divide_factor(1.0)  # a row's loss is divided by all rows of the step
            sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other way to divide by one
            sharded.set_unshard_in_backward(part not in words)  # their gradient hangs on the tokens alone
        setattr(pieces, AT_HAND, lambda compute: compute())
        register_fsdp_forward_method(pieces, AT_HAND)
        return pieces

    def add_up(self, parameters: Collection[torch.nn.Parameter], loss: float) -> float:
        import torch

        return float(self._sum(torch.tensor([loss], dtype=torch.float64)))  # of gradients FSDP has seen to it

    def equal(self, tensors: Collection[torch.Tensor]) -> None:
        super().equal([tensor for tensor in tensors if not in_pieces(tensor)])

    def idle(self, rows: IntArray, tokens: Tokens, max_tokens: int) -> list[IntArray]:
        """Every process makes as many passes as the one that makes most, as each gives its pieces to the others."""
        passes = [
            len(split_by_tokens(share(rows, tokens, rank=rank, size=self.size), tokens, max_tokens))
            for rank in range(self.size)
        ]
        missing = max(passes) - passes[self.rank]
        shortest = min(bound_groups(rows, tokens), key=lambda group: int(tokens.sizes[group].sum()))
        return [shortest] * missing

    def judged(self, compute: Callable[[], Value]) -> Value:
        found = compute()
        return self.told(lambda: found)

    def keep(self, tensors: Mapping[str, torch.Tensor], write: Callable[..., object]) -> None:
        (write if self.first else take_part)(tensors=tensors)

    def put_back(
        self, model: PreTrainedModel, trained: PreTrainedModel, best: Callable[[], Mapping[str, torch.Tensor]]
    ) -> None:
        import torch

        learnt = best() if self.first else {}
        empty: dict[int, torch.nn.Parameter] = {}
        device = _place(trained, self.device)
        for (name, piece), hollow in zip(trained.named_parameters(), model.parameters(), strict=True):
            values = None if piece.requires_grad else whole(piece.detach())
            if self.first:
                values = learnt[name] if values is None else values
                empty[id(hollow)] = torch.nn.Parameter(values.to(device, copy=True), piece.requires_grad)
        if self.first:
            _replace(model, empty)
            model.to(device)  # buffers too

    @contextmanager
    def company(self) -> Iterator[None]:
        """FSDP lets what gloo and NCCL say of a process that is gone come through as it is."""
        try:
            yield
        except RuntimeError as error:
            import torch.distributed as dist

            if isinstance(error, dist.DistError) or "gloo" in str(error):
                raise lost(error) from error
            raise


def _layers(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The transformer layers: what is whole at a time. Of one layer inside another the outer one."""
    named = ((f".{name}.", module) for name, module in model.named_modules())
    found = ((LAYER.search(name), name, module) for name, module in named)
    return [
        module
        for match, name, module in found
        if match and match.end() == len(name) and next(module.parameters(), None) is not None
    ]


def _words(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The embeddings of words, where no other part of the model reads them: they are needed for a moment only."""
    words = model.get_input_embeddings()
    weight = getattr(words, "weight", None)
    holders = [module for module in model.modules() if any(each is weight for each in module._parameters.values())]
    return [words] if weight is not None and holders == [words] else []


def _moved_out(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that has the very weights of the model, which itself is left with empty ones."""
    import torch

    weights = list(model.parameters())
    twin: PreTrainedModel = copy.deepcopy(model, {id(weight): weight for weight in weights})
    hollow = (torch.nn.Parameter(torch.empty_like(each, device="meta"), each.requires_grad) for each in weights)
    _replace(model, dict(zip(map(id, weights), hollow, strict=True)))
    return twin


def _replace(model: PreTrainedModel, others: Mapping[int, torch.nn.Parameter]) -> None:
    """Put other weights in the place of those with these ids, wherever in the model they stand."""
    for module in model.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None and id(weight) in others:
                setattr(module, name, others[id(weight)])


def _place(model: Any, device: str) -> str:
    """The GPU, if the whole model fits into what is free of it, else the main memory."""
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return device if size <= SAFE_SHARE * free_memory_bytes(device) else "cpu"
