"""What a model keeps that is updated with ever other topics and classes: ways of not forgetting, beside Avalanche.

    python -m benchmarks.stream [--seeds 0 1 2] [--ways naive replay ...] [--rows 300 100 240] [--no-avalanche]

The periods are topics of the sentiment corpus, found by their words; each lacks some classes, the second brings a new
one, and so does the fourth, which has questions to a chat bot among its texts. Each period is 300 training rows, 100 of
dev and 240 of test, classes alike. Every way trains the last two layers of MiniLM with the same settings, but for
adapters, which leaves what the first period trained as it is, and a LoRA for each one after it; joint sees all five
periods at once. anew is trained from the pretrained weights on all rows so far, in every period: what it "forgets" is
how much harder the first topics become when there are more classes to choose from, which no way of keeping can avoid.
The score is the accuracy over all classes. Which way is the default was chosen by `dev`;
`test` is what is reported. Writes `benchmarks/quality/stream.json`. About 15 minutes a seed on one quiet core.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import corpus
from benchmarks.results import QUALITY, machine
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.readers import read_table
from tuneloop.evaluation.continual import kept
from tuneloop.models.device import torch_form

PATH = QUALITY / "stream.json"
SEEDS = (0, 1, 2)
ROWS = (300, 100, 240)
TOPICS = {
    "airlines": r"united|southwestair|jetblue|usairways|americanair|virginamerica",
    "cars": r"driverless|self.driving|autonomous|google car",
    "apple": r"apple|aapl|iphone",
    "coachella": r"coachella",
    "football": r"deflategate|patriots|brady|belichick",
}
PERIODS = {
    "airlines": ("negative", "positive"),
    "cars": ("neutral", "positive"),
    "apple": ("negative", "neutral"),
    "coachella": ("neutral", "positive", "question"),
    "football": ("negative", "neutral"),
}
TRAINING = {"epochs": 4, "batch_size": 16, "report_to": []}
METHOD = {"type": "full", "frozen_layers": 4}
ADAPTER = {"type": "lora", "keep": "apart"}
NOTHING = {"replay": 0, "average": False}
WAYS: dict[str, dict[str, Any]] = {
    "anew": {"anew": True},
    "naive": NOTHING,
    "half": NOTHING | {"replay": 0.5},
    "half_500": NOTHING | {"replay": 0.5, "memory": 500},
    "memory_500": NOTHING | {"replay": 0.75, "memory": 500},
    "memory_500_herding": NOTHING | {"replay": 0.75, "memory": 500, "buffer": "herding"},
    "memory_500_reservoir": NOTHING | {"replay": 0.75, "memory": 500, "buffer": "reservoir"},
    "ewc": NOTHING | {"ewc": 1000.0},
    "lwf": NOTHING | {"lwf": 1.0},
    "l2_sp": NOTHING | {"l2_sp": 1.0},
    "average": NOTHING | {"average": True},
    "replay_average": {"average": True},
    "replay_lwf": {"lwf": 1.0},
    "adapters": {"adapters": True},
    "default": {},
}


@dataclass
class Stream:
    """Five files, and the models that learn them one after the other.

    Args:
        folder: where files and the workspace are kept.
        seed: draws the rows and is the seed of each training.
        sizes: rows of train, dev and test in each period.
    """

    folder: Path
    seed: int
    sizes: Sequence[int] = ROWS

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.folder / "workspace")
        rows = {name: drawn(name, classes, self.seed, self.sizes) for name, classes in PERIODS.items()}
        for split in ("train", "dev", "test"):
            so_far: list[tuple[str, str]] = []
            for name in PERIODS:
                write(self.folder / f"{name}-{split}.csv", rows[name][split])
                so_far += rows[name][split]
                write(self.folder / f"until-{name}-{split}.csv", so_far)

    def rows(self, period: str, split: str) -> tuple[list[str], list[str]]:
        """Texts and labels of a split."""
        with (self.folder / f"{period}-{split}.csv").open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
        return [row["text"] for row in found], [row["label"] for row in found]

    def tuned(self, period: str, continual: dict[str, Any]) -> Any:
        """A finished run on one period."""
        from tuneloop.data.snapshot import build_snapshot
        from tuneloop.tasks import task_class
        from tuneloop.training.run import tune

        config = self._config(period, continual)
        snapshot = build_snapshot(
            config, task=task_class(config.task), workspace=self.workspace, base=self.folder, quiet=True
        )
        return tune(config, snapshot=snapshot, workspace=self.workspace, base=self.folder, quiet=True)

    def scores(self, run: Any, periods: int) -> dict[str, list[float | None]]:
        """Accuracy on dev and test of the first periods; None of those that were not learnt yet."""
        model = run.handle(torch_form())
        found: dict[str, list[float | None]] = {"dev": [], "test": []}
        for split, each in found.items():
            for period in list(PERIODS)[:periods]:
                texts, labels = self.rows(period, split)
                each.append(float(np.mean(model.task.right(labels, model.scores(texts)))))
            each += [None] * (len(PERIODS) - periods)
        model.close()
        return found

    def _config(self, period: str, continual: dict[str, Any]) -> RunConfig:
        files = {split: f"{period}-{split}.csv" for split in ("dev", "test")}
        return parse_config(
            {
                "name": "stream",
                "seed": self.seed,
                "data": {"source": f"{period}-train.csv", **files},
                "method": ADAPTER if continual.get("adapters") else METHOD,
                "training": TRAINING,
                "continual": continual,
            }
        )


def texts_of(period: str, label: str) -> list[str]:
    """The distinct texts of one class of a period; a text of two topics belongs to neither."""
    if label == "question":
        table = read_table("sample:dialogues-en", base=Path.cwd(), format="auto", encoding="auto", split="train")
        said = [str(each[0]["content"]) for each in table.column("text", setting="text")]
        return list(dict.fromkeys(text for text in said if len(text.split()) > 2))
    found = []
    for text, given in zip(*corpus(), strict=True):
        topics = [name for name, words in TOPICS.items() if re.search(words, text, re.IGNORECASE)]
        if topics == [period] and given == label:
            found.append(text)
    return found


def drawn(period: str, classes: Sequence[str], seed: int, sizes: Sequence[int]) -> dict[str, list[tuple[str, str]]]:
    """Rows of train, dev and test, the classes alike."""
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for label in classes:
        texts = texts_of(period, label)
        order, begin = np.random.default_rng([seed, len(texts)]).permutation(len(texts)), 0
        for split, size in zip(("test", "dev", "train"), (sizes[2], sizes[1], sizes[0]), strict=True):
            part = order[begin : begin + size // len(classes)]
            rows[split] += [(texts[row], label) for row in part]
            begin += len(part)
    return rows


def write(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """A CSV file with text and label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])


def streamed(stream: Stream, way: dict[str, Any], first: Any) -> dict[str, Any]:
    """The matrices of dev and test of one way, and their figures."""
    run, rows = first, [stream.scores(first, 1)]
    for number, period in enumerate(list(PERIODS)[1:], start=2):
        run = stream.tuned(f"until-{period}", {}) if "anew" in way else stream.tuned(period, {"model": run.id, **way})
        rows.append(stream.scores(run, number))
    matrices = {split: [row[split] for row in rows] for split in ("dev", "test")}
    return {split: {"matrix": matrix, **kept(matrix).to_json()} for split, matrix in matrices.items()}


def measure(
    seed: int, ways: Sequence[str], sizes: Sequence[int], *, avalanche: bool, known: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and figures of joint, unless it is `known`, of each way and of the peers; each once it is measured."""
    with TemporaryDirectory(prefix="stream-") as folder:
        stream = Stream(Path(folder), seed, sizes)
        if "joint" not in known:
            joint = stream.scores(stream.tuned(f"until-{list(PERIODS)[-1]}", {}), len(PERIODS))
            yield "joint", {split: {"average": mean(each)} for split, each in joint.items()}
        first = stream.tuned(next(iter(PERIODS)), {})
        for name in ways:
            yield name, streamed(stream, WAYS[name], first)
        if avalanche:
            from benchmarks.stream_avalanche import peers

            for name, matrices in peers(stream).items():
                yield name, {split: {"matrix": each, **kept(each).to_json()} for split, each in matrices.items()}


def _line(found: dict[str, Any], joint: dict[str, Any]) -> str:
    parts = [
        f"{split} {found[split]['average']:.4f} ({found[split]['average'] / joint[split]['average']:.1%} of joint), "
        f"forgetting {found[split]['forgetting']:+.4f}"
        for split in ("dev", "test")
    ]
    return "; ".join(parts)


def summary(seeds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds of each way, dev and test."""
    names = list(dict.fromkeys(name for each in seeds.values() for name in each))
    out: dict[str, Any] = {}
    for name in names:
        runs = [each for each in seeds.values() if name in each]
        out[name] = {"seeds": len(runs)}
        for split in ("dev", "test"):
            figures = {}
            for figure in ("average", "forgetting", "backward"):
                values = [run[name][split][figure] for run in runs if figure in run[name][split]]
                if values:
                    figures[figure] = {"mean": round(mean(values), 4), "each": [round(value, 4) for value in values]}
            shares = [run[name][split]["average"] / run["joint"][split]["average"] for run in runs]
            out[name][split] = figures | {"share_of_joint": round(mean(shares), 4)}
    return out


def main() -> None:
    """Measure and record; seeds and ways that were measured before are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--rows", type=int, nargs=3, default=ROWS, metavar="N", help="of train, dev and test")
    parser.add_argument("--no-avalanche", action="store_true")
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    path = options.output
    if not options.no_avalanche:
        if find_spec("avalanche") is None:
            raise SystemExit("avalanche-lib is not installed: see benchmarks/stream_avalanche.py, or --no-avalanche")
        from benchmarks.stream_avalanche import without_image_operators

        without_image_operators()
    seeds = json.loads(path.read_text(encoding="utf-8"))["seeds"] if path.is_file() else {}
    settings = {"periods": PERIODS, "rows": options.rows, "training": TRAINING}
    settings |= {"method": METHOD, "adapter": ADAPTER, "ways": WAYS, "metric": "accuracy"}
    for seed in options.seeds:
        found = seeds.setdefault(str(seed), {})
        measured = measure(seed, options.ways, options.rows, avalanche=not options.no_avalanche, known=found)
        for name, figures in measured:
            found[name] = figures
            if name != "joint":
                print(f"seed {seed}, {name}: {_line(figures, found['joint'])}", flush=True)
            write_json(path, {"summary": summary(seeds), "settings": settings, "seeds": seeds, "machine": machine()})
    print(json.dumps(summary(seeds), indent=2))


if __name__ == "__main__":
    main()
