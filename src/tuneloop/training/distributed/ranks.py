"""Several processes as one training: each takes its share of the rows of a step, and their gradients are added up.

The steps are those of one process, and the weights are the same bits in every process after each of them, so the loop
stays one loop. Gradients are summed and not averaged, as the loss of a row is divided by all rows of the step. What
processes tell each other are tensors and JSON, never pickles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from tuneloop.core.errors import TrainingError
from tuneloop.core.i18n import t
from tuneloop.training.distributed.share import share

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens

    IntArray = np.ndarray[Any, np.dtype[Any]]

Value = TypeVar("Value")

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun, accelerate and others set in the environment of each process."""

LAUNCH = "TUNELOOP_LAUNCH"
"""The variable by which `worker` names what has started its process, and starts it again until the run is finished."""

OWN_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""The variable by which torchrun gives processes that it starts again another store to find each other in."""

PATIENCE = timedelta(hours=24)
"""How long a process waits for another one, which may be reading a million texts; one that died is noticed at once."""

BUCKET = 1 << 24
"""Numbers of gradients at most that are sent at once."""


class LostRankError(TrainingError):
    """Another process of the training has ended, so this one cannot go on."""


class Ranks:
    """The processes that train together, as one of them sees it; this one is alone: all rows are its own.

    Args:
        launch: names what has started them; empty for a person.
        again: whether it may have started others before them, which have begun a run.
    """

    rank, size = 0, 1
    """Its number, from 0, and how many there are; the first one prepares, judges and writes for all."""

    def __init__(self, *, launch: str = "", again: bool = False) -> None:
        self.launch, self.again = launch, again

    @property
    def first(self) -> bool:
        """Whether it is this process that prepares, judges and writes."""
        return self.rank == 0

    def draw(self, seed: int, step: int) -> None:
        """Set torch's random numbers for a step, where they do not just go on from the step before."""

    def share(self, rows: IntArray, tokens: Tokens) -> IntArray:
        """The rows of a step that are this process's own."""
        return rows

    def add_up(self, parameters: Collection[torch.nn.Parameter], loss: float) -> float:
        """Put the sum of all processes' gradients into each of them; returns the sum of their losses."""
        return loss

    def equal(self, tensors: Collection[torch.Tensor]) -> None:
        """Put what the first process has in these tensors into those of all."""

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return self.any_of(flag)[0]

    def any_of(self, *flags: bool) -> list[bool]:
        """For each of them, whether it is so in any process."""
        return list(flags)

    def told(self, compute: Callable[[], Value]) -> Value:
        """What the first process computes, plain JSON, in all of them."""
        return compute()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process goes through the block, then all others: they find in caches what it has made."""
        yield

    def wait(self) -> None:
        """Until every process is here."""

    # what follows is another thing where processes share out the weights too: see `sharded.ShardedRanks`

    pieces = 1
    """In how many pieces a weight lies."""

    def device_of(self, model: PreTrainedModel) -> str:
        """cpu or cuda: where it is trained."""
        return model.device.type

    def spread(self, model: PreTrainedModel, precision: str) -> PreTrainedModel:
        """The model to train in its place."""
        return model

    def idle(self, rows: IntArray, tokens: Tokens, max_tokens: int) -> list[IntArray]:
        """The rows of each further pass that a step needs in this process, though none of them counts."""
        return []

    def judged(self, compute: Callable[[], Value]) -> Value:
        """What a computation with the model gives, plain JSON, in all processes."""
        return self.told(compute)

    def keep(self, tensors: Mapping[str, torch.Tensor], write: Callable[..., object]) -> None:
        """The first process writes these tensors: `write(tensors=tensors)`, which calls `write_tensors` once."""
        if self.first:
            write(tensors=tensors)

    def put_back(
        self, model: PreTrainedModel, trained: PreTrainedModel, best: Callable[[], Mapping[str, torch.Tensor]]
    ) -> None:
        """Give the first process's `model` the best weights, by their names; `trained` is what `spread` made of it."""
        import torch

        if self.first:
            with torch.no_grad():
                for name, tensor in best().items():
                    model.get_parameter(name).copy_(tensor)

    def company(self) -> AbstractContextManager[None]:
        """Around passes through the model: a LostRankError, where another process has ended meanwhile."""
        return nullcontext()


class JoinedRanks(Ranks):
    """One of several; see `Ranks`.

    Args:
        device: where tensors must be to be sent: cpu (gloo) or cuda (nccl).
    """

    def __init__(self, rank: int, size: int, *, device: str, launch: str = "", again: bool = False) -> None:
        super().__init__(launch=launch, again=again)
        self.rank, self.size, self.device = rank, size, device

    def draw(self, seed: int, step: int) -> None:
        import torch

        # a pure function of the step, so that no checkpoint has to hold the random numbers of every process
        torch.manual_seed(int(np.random.SeedSequence([seed, step, self.rank]).generate_state(1, np.uint64)[0] >> 1))

    def share(self, rows: IntArray, tokens: Tokens) -> IntArray:
        return share(rows, tokens, rank=self.rank, size=self.size)

    def add_up(self, parameters: Collection[torch.nn.Parameter], loss: float) -> float:
        import torch

        flags = torch.tensor([loss, *(each.grad is not None for each in parameters)], dtype=torch.float64)
        total, *known = self._sum(flags).tolist()
        # what no row of the step has touched keeps no gradient, as in one process: its weights do not decay either
        touched = [each for each, count in zip(parameters, known, strict=True) if count]
        for each in touched:
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        for bucket in buckets([each.grad for each in touched if each.grad is not None]):
            flat = self._sum(torch.cat([gradient.flatten() for gradient in bucket]))
            parts = flat.split([gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))
        return float(total)

    def equal(self, tensors: Collection[torch.Tensor]) -> None:
        import torch.distributed as dist

        for tensor in tensors:
            sent = tensor.detach().to(self.device).contiguous()
            with _in_company():
                dist.broadcast(sent, src=0)
            tensor.detach().copy_(sent)

    def any_of(self, *flags: bool) -> list[bool]:
        import torch

        found: list[bool] = self._sum(torch.tensor(flags, dtype=torch.float32)).bool().tolist()
        return found

    def told(self, compute: Callable[[], Value]) -> Value:
        import torch

        said = json.dumps(compute(), default=float).encode() if self.first else b""
        length = torch.tensor([len(said)])
        self.equal([length])
        text = torch.zeros(int(length), dtype=torch.uint8)
        if self.first:
            text.copy_(torch.frombuffer(bytearray(said), dtype=torch.uint8))
        self.equal([text])
        value: Value = json.loads(text.numpy().tobytes())
        return value

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        self.any(False)

    def _sum(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, the same bits in each."""
        import torch.distributed as dist

        sent = values.to(self.device)
        with _in_company():
            dist.all_reduce(sent)
        return sent.to(values.device)


def join() -> Ranks:
    """This process among those that were started with it, by what torchrun has set in its environment; else alone.

    Raises:
        TrainingError: if there is no GPU for it, or the others cannot be reached.
    """
    import torch
    import torch.distributed as dist

    given = all(name in os.environ for name in VARIABLES)
    if not dist.is_available() or not (dist.is_initialized() or given):
        return Ranks()
    named, restarts = os.environ.get(LAUNCH, ""), int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    launch, again = named or os.environ.get("TORCHELASTIC_RUN_ID", ""), bool(named or restarts)
    if not dist.is_initialized():
        gpu = torch.cuda.is_available()
        if gpu:
            _take_gpu(int(os.environ.get("LOCAL_RANK", "0")))
        _check_store()
        with _in_company():
            dist.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    rank, size = dist.get_rank(), dist.get_world_size()
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    if size == 1:
        return Ranks(launch=launch, again=again)
    return JoinedRanks(rank, size, device=device, launch=launch, again=again)


def is_first() -> bool:
    """Whether this process is the first of those that it has joined, or alone."""
    import torch.distributed as dist

    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def buckets(gradients: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """Gradients of the same kind, together up to `BUCKET` numbers, in their order."""
    found: list[list[torch.Tensor]] = []
    room, kind = 0, None
    for gradient in gradients:
        if gradient.dtype != kind or gradient.numel() > room:
            found.append([])
            room, kind = BUCKET, gradient.dtype
        found[-1].append(gradient)
        room -= gradient.numel()
    return found


def _check_store() -> None:
    """Nothing, if processes that torchrun starts again do not take the addresses of dead ones for their own.

    torchrun keeps one store for all restarts, in which gloo finds the addresses of the processes before, and waits for
    them until its time is up: pytorch #135712.
    """
    elastic = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if elastic and int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")):
        raise TrainingError(
            t("torchrun lets processes that it starts again wait for those that have died."),
            t("On every machine set {name}=1 and give --rdzv-backend c10d, or leave --max-restarts out.",
              name=OWN_STORE),
        )  # fmt: skip


def _take_gpu(number: int) -> None:
    import torch

    if number >= torch.cuda.device_count():
        raise TrainingError(
            t("There are {count} GPUs here, and none is left for process {number}.",
              count=torch.cuda.device_count(), number=number + 1),
            t('Start as many processes as there are GPUs, or hide the GPUs with CUDA_VISIBLE_DEVICES="".'),
        )  # fmt: skip
    torch.cuda.set_device(number)


@contextmanager
def _in_company() -> Iterator[None]:
    """Inside the block other processes are talked to; torch's many ways to say that one is gone become one."""
    try:
        yield
    except RuntimeError as error:
        raise lost(error) from error


def lost(error: RuntimeError) -> LostRankError:
    """What such an error of torch means."""
    return LostRankError(
        t("Another process of this training has ended or cannot be reached."),
        t("What it has said itself tells why: {reason}", reason=str(error).strip().split("\n")[0][:200]),
    )
