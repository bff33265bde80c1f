"""Where a model computes and in which precision: chosen once, the same for training, probing and answering."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def choose_device() -> str:
    """cuda where torch sees a GPU (hide it with CUDA_VISIBLE_DEVICES=""), else cpu.

    On a GPU attention is not left to cuDNN, in the whole process: its gradients are NaN at some lengths (pytorch
    #196678), and it plans anew for every length, of which texts have many.
    """
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    torch.backends.cuda.enable_cudnn_sdp(False)
    return "cuda"


def choose_precision(wanted: str, device: str) -> str:
    """fp32 or bf16; auto takes bf16 where the device computes in it.

    Args:
        wanted: auto, fp32 or bf16.
        device: cpu or cuda.
    """
    import torch

    if wanted != "auto":
        return wanted
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def torch_form() -> str:
    """The faster form of torch here: torch-bf16 where the device computes in bf16, else torch-fp32.

    A processor that only emulates bf16 takes several times as long with it.
    """
    return f"torch-{choose_precision('auto', choose_device())}"


def autocast(precision: str, device: str) -> AbstractContextManager[Any]:
    """bf16 autocast, or nothing: the weights stay fp32."""
    import torch

    return torch.autocast(device, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def cast(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Keep the weights of a model in a precision, in place.

    As where transformers loads them so: what a module has worked out for itself, such as the frequencies of rotary
    positions, stays in fp32. In bf16 the angle of a far place would be wrong by half a radian.
    """
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.is_floating_point():
                parameter.data = parameter.data.to(dtype)
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_floating_point() and name not in module._non_persistent_buffers_set:
                setattr(module, name, buffer.to(dtype))


def memory_bytes(device: str) -> int:
    """All the memory of the GPU, or of the machine."""
    import psutil
    import torch

    if device == "cuda":
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return int(psutil.virtual_memory().total)


def free_memory_bytes(device: str) -> int:
    """What can still be taken of the GPU's memory, or of the machine's and the container's."""
    import psutil
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return min(int(psutil.virtual_memory().available), _left_in_container())


def _left_in_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """What a control group (version 2) leaves; no end where there is none, or no limit."""
    try:
        limit, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # "max"
        return sys.maxsize
    return max(limit - used, 0)


def peak_memory_bytes(device: str) -> int:
    """The most memory this process has had so far: resident on the CPU, allocated on a GPU."""
    import resource

    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.is_file():
        # unlike ru_maxrss, VmHWM does not count what a parent process had before exec
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
