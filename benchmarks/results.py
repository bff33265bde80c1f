"""The one format for evidence: `benchmarks/results.json`, one object per benchmark."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any

from tuneloop.core.fsio import write_json

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
QUALITY = HERE / "quality"
VERSIONS = ("torch", "transformers", "tokenizers", "onnxruntime", "openvino", "numpy")


@dataclass(frozen=True)
class Result:
    """One comparison; a `ratio` above 1 is in our favour.

    Args:
        name: of the benchmark.
        ours: what was measured of us, in words.
        peer: what it is compared with, in words.
        peer_version: for example `transformers 5.23.0`.
        unit: of both values.
        ours_value: median over the repetitions.
        peer_value: median over the repetitions.
        ratio: of the medians.
        low: lowest ratio of one repetition.
        high: highest ratio of one repetition.
        quality: what makes the comparison fair, such as both accuracies.
        machine: processor, cores and versions.
        command: how to measure it again.
        date: day of the measurement.
        ours_each: the value of each repetition.
        peer_each: the same of the peer, measured in turn with it.
    """

    name: str
    ours: str
    peer: str
    peer_version: str
    unit: str
    ours_value: float
    peer_value: float
    ratio: float
    low: float
    high: float
    quality: dict[str, Any]
    machine: dict[str, str | int]
    command: str
    date: str
    ours_each: list[float] = field(default_factory=list)
    peer_each: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Sides:
    """The measurements of both sides, repetition by repetition."""

    ours: list[float]
    peer: list[float]


def result(
    name: str,
    sides: Sides,
    *,
    ours: str,
    peer: str,
    peer_package: str,
    unit: str,
    quality: dict[str, Any],
    smaller_is_better: bool = False,
) -> Result:
    """The result of interleaved measurements."""
    ratios = [b / a if smaller_is_better else a / b for a, b in zip(sides.ours, sides.peer, strict=True)]
    ours_value, peer_value = median(sides.ours), median(sides.peer)
    ratio = peer_value / ours_value if smaller_is_better else ours_value / peer_value
    return Result(
        name=name, ours=ours, peer=peer, peer_version=f"{peer_package} {version(peer_package)}", unit=unit,
        ours_value=_short(ours_value), peer_value=_short(peer_value), ratio=_short(ratio),
        low=_short(min(ratios)), high=_short(max(ratios)), quality=quality, machine=machine(),
        command=f"python -m benchmarks {name}", date=f"{datetime.now(UTC):%Y-%m-%d}",
        ours_each=[*map(_short, sides.ours)], peer_each=[*map(_short, sides.peer)],
    )  # fmt: skip


def read(path: Path = RESULTS) -> list[dict[str, Any]]:
    """All results so far."""
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


def record(new: Result, path: Path = RESULTS) -> None:
    """Put a result in the place of the older one of its name, or at the end."""
    known = {entry["name"]: entry for entry in read(path)}
    known[new.name] = asdict(new)
    write_json(path, list(known.values()))


def machine() -> dict[str, str | int]:
    """Processor, cores and versions."""
    return (
        {"cpu": _processor(), "cores": os.cpu_count() or 1, "python": python_version()}
        | {name: version(name) for name in VERSIONS}
        | _gpu()
    )


def _gpu() -> dict[str, str]:
    """The name of the GPU, where torch sees one."""
    import torch

    return {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = dict(tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line)
    wanted = [name for name in ("avx512_bf16", "avx512_vnni", "amx_bf16") if name in found.get("flags", "").split()]
    return " ".join([found.get("model name", "unknown processor"), *wanted])


def _short(value: float) -> float:
    return float(f"{value:.4g}")
