"""What this machine can do: cores, number formats, memory, disk, GPU, installed extras."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

GIB = 1 << 30

DEVELOPERS = {"bench", "dev"}
"""Extras that nobody needs who only uses tuneloop."""

CORE_PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


@dataclass(frozen=True)
class Machine:
    """What was found.

    Args:
        processor: its name.
        cores: cores that this process may use.
        bf16: whether the processor multiplies bf16 matrices.
        vnni: whether it multiplies 8-bit integers in one step.
        memory_bytes: physical memory.
        free_memory_bytes: what programs can still take.
        free_disk_bytes: free space where the workspace lies.
        gpus: names of CUDA devices.
        versions: of Python and the packages that results depend on.
        missing: extra to the packages of it that are not installed.
    """

    processor: str
    cores: int
    bf16: bool
    vnni: bool
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    gpus: tuple[str, ...]
    versions: dict[str, str]
    missing: dict[str, tuple[str, ...]]


def look(folder: Path) -> Machine:
    """What this machine can do; `folder` is where the workspace is or will be."""
    import psutil
    import torch

    flags = _processor_flags()
    memory = psutil.virtual_memory()
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    there = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        bf16=bool({"avx512_bf16", "amx_bf16"} & flags),
        vnni=bool({"avx512_vnni", "avx_vnni"} & flags),
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        free_disk_bytes=shutil.disk_usage(there).free,
        gpus=tuple(gpus),
        versions={"python": platform.python_version()} | {name: _version(name) for name in CORE_PACKAGES},
        missing=missing_extras(),
    )


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def missing_extras() -> dict[str, tuple[str, ...]]:
    """Each extra that is not complete, with the packages it lacks, as what is installed of tuneloop declares them."""
    from packaging.requirements import Requirement

    about = metadata("tuneloop")
    needs = [Requirement(line) for line in about.get_all("Requires-Dist") or ()]
    apart = [need for need in needs if need.marker and "extra" in str(need.marker) and not _version(need.name)]
    extras = sorted(set(about.get_all("Provides-Extra") or ()) - DEVELOPERS)
    lacking = {
        extra: tuple(need.name for need in apart if need.marker and need.marker.evaluate({"extra": extra}))
        for extra in extras
    }
    return {extra: names for extra, names in lacking.items() if names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor_flags() -> set[str]:
    return set(_cpuinfo("flags").split())


def processor_name() -> str:
    """The name of the processor."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
