"""Tuning with the word vectors of the training texts alone, beside tuning with the whole table.

    python -m benchmarks.used_words [--rows 320] [--repetitions 3]

Full fine-tuning of MiniLM for one epoch, as it is and with its vocabulary widened to the 250,002 tokens of XLM-R (what
the rows say does not matter for speed). Each run is a process of its own, both kinds in turn. Writes
`benchmarks/quality/used_words.json`: texts a second of the steps, and peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

from benchmarks.data import Sentiment
from benchmarks.release import default_config, kept_encoder
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PATH = QUALITY / "used_words.json"
VOCABULARY = 250_002
KINDS = ("as it is", "widened")
SIDES = ("words of the texts", "whole table")


def once(kind: str, side: str, rows: int) -> dict[str, float]:
    """One run in this process."""
    from tuneloop.models import used_words
    from tuneloop.training.run import tune

    source = kept_encoder(f"minilm-{VOCABULARY}", _widened) if kind == "widened" else None
    config = default_config(source=source, epochs=1, report_to=[])
    if side == "whole table":
        used_words.WORTH = 0.0
    with TemporaryDirectory() as folder:
        run = tune(config, snapshot=Sentiment(rows), workspace=Workspace(Path(folder)), quiet=True)
        return {"texts_per_s": run.info["samples_per_s"], "peak_mb": run.info["peak_memory_bytes"] / 1e6}


def _widened(source: Path) -> PreTrainedModel:
    """MiniLM with more rows in its table."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(source)
    model.resize_token_embeddings(VOCABULARY, mean_resizing=False)
    return cast("PreTrainedModel", model)


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
