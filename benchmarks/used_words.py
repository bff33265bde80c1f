"""Tuning with the word vectors of the training texts alone, beside tuning with the whole table.

    python -m benchmarks.used_words [--rows 320] [--repetitions 3]

Full fine-tuning of MiniLM for one epoch, as it is and with its vocabulary widened to the 250,002 tokens of XLM-R (what
the rows say does not matter for speed). Each run is a process of its own, both kinds in turn. Writes
`benchmarks/quality/used_words.json`: texts a second of the steps, and peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.data import Sentiment
from benchmarks.release import WORKSPACE, default_config
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import new_dir, write_json
from tuneloop.core.paths import Workspace
from tuneloop.models.source import resolve

PATH = QUALITY / "used_words.json"
VOCABULARY = 250_002
KINDS = ("as it is", "widened")
SIDES = ("words of the texts", "whole table")


def once(kind: str, side: str, rows: int) -> dict[str, float]:
    """One run in this process."""
    from tuneloop.models import used_words
    from tuneloop.training.run import tune

    config = default_config(epochs=1, report_to=[])
    if kind == "widened":
        config = config.model_copy(update={"model": config.model.model_copy(update={"source": str(_widened())})})
    if side == "whole table":
        used_words.WORTH = 0.0
    with TemporaryDirectory() as folder:
        run = tune(config, snapshot=Sentiment(rows), workspace=Workspace(Path(folder)), quiet=True)
        return {"texts_per_s": run.info["samples_per_s"], "peak_mb": run.info["peak_memory_bytes"] / 1e6}


def _widened() -> Path:
    """MiniLM with more rows in its table, kept for the next time."""
    from transformers import AutoModel

    folder, source = WORKSPACE.cache / f"minilm-{VOCABULARY}", resolve(default_config().model.source)
    if not folder.is_dir():
        model = AutoModel.from_pretrained(source)
        model.resize_token_embeddings(VOCABULARY, mean_resizing=False)
        with new_dir(folder) as staging:
            others = shutil.ignore_patterns("*.safetensors", "config.json")
            shutil.copytree(source, staging, ignore=others, dirs_exist_ok=True)
            model.save_pretrained(staging)
    return folder


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=320)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--once", nargs=2, metavar=("KIND", "SIDE"), help="one run, printed as JSON")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(once(*options.once, options.rows)))
        return
    found: dict[str, dict[str, list[dict[str, float]]]] = {kind: {side: [] for side in SIDES} for kind in KINDS}
    for _ in range(options.repetitions):
        for kind in KINDS:
            for side in SIDES:
                command = [sys.executable, "-m", "benchmarks.used_words", "--rows", str(options.rows), "--once"]
                done = subprocess.run([*command, kind, side], check=True, stdout=subprocess.PIPE, text=True)
                found[kind][side].append(json.loads(done.stdout.splitlines()[-1]))
                print(kind, side, found[kind][side][-1], flush=True)
    rounded = {
        kind: {
            side: {name: round(median(each[name] for each in runs), 1) for name in runs[0]}
            for side, runs in sides.items()
        }
        for kind, sides in found.items()
    }
    write_json(PATH, {"median": rounded, "each": found, "rows": options.rows, "machine": machine()})


if __name__ == "__main__":
    main()
