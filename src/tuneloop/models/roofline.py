"""What this machine can do at best: matrix products in each number format, and bytes moved to and from memory.

The two limits of Williams, Waterman and Patterson, "Roofline: An Insightful Visual Performance Model" (2009): work
that does few operations on each byte is bound by memory, other work by the matrix products. Memory is measured as the
triad of STREAM (McCalpin 1995): a = b + s c, three arrays moved.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.fsio import make_dir, storage_errors, write_json
from tuneloop.core.hashing import hash_json
from tuneloop.core.machine import processor_name, usable_cores
from tuneloop.core.progress import progress
from tuneloop.models.device import choose_device

if TYPE_CHECKING:
    import torch

SIZES = (512, 1024, 2048, 4096)
"""Rows and columns of the matrices; larger ones are left out where a product takes longer than all its time."""

TRIAD_BYTES = 128 << 20
"""Of each of the three arrays: several times what caches hold."""


@dataclass(frozen=True)
class Roofline:
    """The best that was measured, per second.

    Args:
        fp32: operations of fp32 matrix products; a multiplication and an addition are two.
        bf16: the same in bf16, with sums in fp32; far below fp32 where the processor only emulates it.
        int8: the same of 8-bit integers with 32-bit sums, by ONNX Runtime; None without it.
        memory: bytes moved.
        machine: processor or GPU, and threads.
        measured: when, ISO 8601.
    """

    fp32: float
    bf16: float
    int8: float | None
    memory: float
    machine: str
    measured: str

    def peak(self, form: str) -> float | None:
        """Operations per second of a precision, or of an engine that is named for its own."""
        return {"fp32": self.fp32, "bf16": self.bf16, "int8": self.int8}.get(form.rpartition("-")[2])


def measure(*, seconds: float = 2.0, quiet: bool = False) -> Roofline:
    """Measure this machine; takes about six times `seconds`.

    Args:
        seconds: for each format, and for memory.
    """
    import torch

    device = choose_device()
    with progress("roofline", 4, quiet=quiet) as bar:
        found: dict[str, Any] = {}
        for number, precision in enumerate((torch.float32, torch.bfloat16)):
            found[str(precision)] = _products(lambda size, of=precision: _product(size, of, device), seconds)
            bar.update(number + 1)
        found["int8"] = _products(_integer_product, seconds) if find_spec("onnxruntime") and device == "cpu" else None
        bar.update(3)
        found["memory"] = _triad(device, seconds)
        bar.update(4)
    return Roofline(
        fp32=found["torch.float32"], bf16=found["torch.bfloat16"], int8=found["int8"], memory=found["memory"],
        machine=machine(), measured=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def machine() -> str:
    """What figures hold for: the GPU, or the processor with the threads that compute."""
    if Path("/proc/driver/nvidia/version").exists():  # asking torch takes a second, and a server may run without it
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    return f"{processor_name()}, {threads()} threads"


def threads() -> int:
    """Threads of a matrix product: as many as cores, or fewer by OMP_NUM_THREADS."""
    cores, wanted = usable_cores(), os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(wanted)) if wanted.isdecimal() and int(wanted) else cores


def keep(found: Roofline, cache: Path) -> Path:
    """Write what was measured to where `known` looks for it.

    Raises:
        StorageError: if the disk refuses.
    """
    path = _place(cache)
    with storage_errors(path):
        make_dir(path.parent)
    write_json(path, asdict(found))
    return path


def known(cache: Path) -> Roofline | None:
    """What was measured on this machine with as many threads; None if nothing was, or the file is of no use."""
    try:
        return Roofline(**json.loads(_place(cache).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _place(cache: Path) -> Path:
    return cache / "roofline" / f"{hash_json(machine())[:12]}.json"


def _products(prepared: Callable[[int], Callable[[], Any]], seconds: float) -> float:
    """Operations per second of the size that does best."""
    best, ends_s = 0.0, time.monotonic() + seconds
    for size in SIZES:
        product = prepared(size)
        took_s = fastest(product, seconds / len(SIZES))
        best = max(best, 2 * size**3 / took_s)
        if time.monotonic() > ends_s or 8 * took_s > seconds:  # twice the size is eight times the work
            break
    return best


def fastest(compute: Callable[[], Any], seconds: float) -> float:
    """Seconds of the fastest of the calls that fit into so many seconds, after one that warms up; two at least."""
    compute()
    best, ends_s = float("inf"), time.monotonic() + seconds
    while True:
        began_s = time.perf_counter()
        compute()
        best = min(best, time.perf_counter() - began_s)
        if time.monotonic() > ends_s:
            return best


def _product(size: int, precision: torch.dtype, device: str) -> Callable[[], Any]:
    import torch

    one, other = (torch.ones(size, size, dtype=precision, device=device) for _ in range(2))
    into = torch.empty_like(one)
    return _finished(lambda: torch.mm(one, other, out=into), device)


def _integer_product(size: int) -> Callable[[], Any]:
    """The product as ONNX Runtime does it in a model of 8 bits: activations unsigned, weights signed and known."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((size, size), np.int8), "weights")
    given = helper.make_tensor_value_info("given", TensorProto.UINT8, [size, size])
    answer = helper.make_tensor_value_info("answer", TensorProto.INT32, [size, size])
    node = helper.make_node("MatMulInteger", ["given", "weights"], ["answer"])
    graph = helper.make_graph([node], "product", [given], [answer], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = {"given": np.ones((size, size), np.uint8)}
    return lambda: session.run(None, values)


def _triad(device: str, seconds: float) -> float:
    """Bytes per second."""
    import torch

    a, b, c = (torch.ones(TRIAD_BYTES // 4, device=device) for _ in range(3))
    return 3 * TRIAD_BYTES / fastest(_finished(lambda: torch.add(b, c, alpha=3.0, out=a), device), seconds)


def _finished(compute: Callable[[], Any], device: str) -> Callable[[], Any]:
    """The same, ended when a GPU has ended it."""
    import torch

    if device != "cuda":
        return compute

    def waited() -> None:
        compute()
        torch.cuda.synchronize()

    return waited
