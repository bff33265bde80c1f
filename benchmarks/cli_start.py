"""How long `tuneloop --help` takes, beside the help of another command line of this field."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import alternate, seconds
from benchmarks.results import Result, result


def run(name: str) -> Result:
    """Wall time of a fresh process each."""
    sides = alternate(lambda _: _help("tuneloop"), lambda _: _help("transformers"), repetitions=7)
    return result(
        name, sides, ours="tuneloop --help", peer="transformers --help", peer_package="transformers", unit="s",
        quality={"what": "both print their help and end with 0"}, smaller_is_better=True,
    )  # fmt: skip


def _help(program: str) -> float:
    path = Path(sys.executable).with_name(program)
    command = [str(path), "--help"]
    return seconds(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LANG": "C.UTF-8"})
    )
