"""Chinese reviews without a downloaded model: an encoder that tuneloop pretrains itself, then 1,000 labels.

    python -m benchmarks.chinese [--workspace FOLDER]

Writes `benchmarks/quality/chinese.json`: macro-F1 on 4,000 reviews of the same encoder pretrained and not, beside
TF-IDF of character runs with logistic regression. The encoder reads the training reviews alone, without their labels.
The test split is read for these figures alone: settings were chosen on dev.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.results import QUALITY, machine
from tuneloop import api
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.snapshot import Snapshot
from tuneloop.evaluation.intervals import draws, interval
from tuneloop.evaluation.metrics import headline_family
from tuneloop.evaluation.paired import compare
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray, Task

PATH = QUALITY / "chinese.json"
LABELS = 1000
SEEDS = (0, 1, 2)
RESAMPLES = 1000
DATA = {"source": "sample:reviews-zh", "split": {"dev": 1000, "test": 4000}}
PRETRAINING = {"source": "scratch", "layers": 2, "hidden": 256, "heads": 4, "mask_share": 0.3, "epochs": 18}
TUNING = {"model": {"pooling": "mean"}, "training": {"epochs": 5, "learning_rate": 3e-4}}


@dataclass(frozen=True)
class Few:
    """The data with 1,000 training reviews, drawn anew for each seed."""

    whole: Snapshot
    seed: int

    @property
    def hash(self) -> str:
        """Names the rows."""
        return f"{self.whole.hash}-{LABELS}-{self.seed}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names."""
        return tuple(self.whole.labels)

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test."""
        rows = self.whole.split(name)
        if name != "train":
            return rows
        return rows.select(np.random.default_rng(self.seed).permutation(len(rows))[:LABELS].tolist())


def measure(folder: Path | None = None) -> dict[str, Any]:
    """Pretrain once, then train and measure with each seed.

    Args:
        folder: keeps the encoder, or has it already.
    """
    with TemporaryDirectory() as name:
        project = api.Project(parse_config({"data": DATA, "pretraining": PRETRAINING}), folder or Path(name))
        data = api.snapshot(project)
        encoder = api.pretrain(project)
        sources = {"pretrained": encoder.path, "not pretrained": _untrained(encoder.path, Path(name) / "new")}
        task = create_task(TaskConfig(type="classification"), {"labels": list(data.labels)})
        scores: dict[str, list[FloatArray]] = {"tfidf": [_tfidf(task, Few(data, seed)) for seed in SEEDS]}
        for key, source in sources.items():
            scores[key] = [_tune(source, Few(data, seed)) for seed in SEEDS]
        test = data.split("test")
        figures = {key: _figure(task, test, each) for key, each in scores.items()}
        pairs = {
            f"pretrained - {key}": _difference(task, test, scores["pretrained"], scores[key])
            for key in ("tfidf", "not pretrained")
        }
        rows = {part: len(data.split(part)) for part in ("train", "dev", "test")} | {"labels": LABELS}
        about = {key: encoder.info[key] for key in ("texts", "tokens", "parameters", "dev", "steps", "steps_s")}
    settings = {"pretraining": PRETRAINING, "tuning": TUNING, "tfidf": "1 to 3 characters, C 10"}
    return {"rows": rows, "settings": settings, "encoder": about, "macro_f1": figures, "difference": pairs}


def _untrained(encoder: Path, folder: Path) -> Path:
    """The same encoder with the random weights that pretraining began with, and the same tokenizer."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from tuneloop.training.save import copy_tokenizer

    torch.manual_seed(0)
    BertForMaskedLM(BertConfig.from_pretrained(encoder)).save_pretrained(folder)
    copy_tokenizer(encoder, folder)
    return folder


def _tune(source: Path, data: Few) -> FloatArray:
    from tuneloop.training.run import tune

    plain = {"data": DATA, "seed": data.seed, **TUNING}
    config = parse_config(plain | {"model": TUNING["model"] | {"source": str(source)}})
    with TemporaryDirectory() as folder:
        run = tune(config, snapshot=data, workspace=Workspace(Path(folder)), quiet=True)
        print(f"{source.name}, seed {data.seed}: dev {run.info['best_dev']}", flush=True)
        return run.handle().scores(data.split("test").inputs)


def _tfidf(task: Task, data: Few) -> FloatArray:
    from tuneloop.methods import BASELINES

    return BASELINES.get("tfidf")().fit(data.split("train"), task, seed=0).scores(data.split("test").inputs)


def _figure(task: Task, test: Examples, scores: list[FloatArray]) -> dict[str, Any]:
    """Mean over the seeds, its 95 % interval over resamples of the test rows, and each."""
    each = [task.metrics(test.labels, one)["macro_f1"] for one in scores]
    low, high = _bounds(_resampled(task, test, scores))
    return {"mean": round(mean(each), 4), "low": low, "high": high, "each": [round(one, 4) for one in each]}


def _difference(task: Task, test: Examples, ours: list[FloatArray], theirs: list[FloatArray]) -> dict[str, Any]:
    """Of the means over the seeds, with a paired interval; and of each seed, with the verdict on it."""
    low, high = _bounds(_resampled(task, test, ours) - _resampled(task, test, theirs))
    seeds = [compare(task, test.labels, a, b, seed=0, resamples=RESAMPLES) for a, b in zip(ours, theirs, strict=True)]
    each = [
        {"difference": round(one.difference, 4), "low": round(one.low, 4), "high": round(one.high, 4), "p": one.p}
        | {"verdict": one.verdict}
        for one in seeds
    ]
    return {"mean": round(mean(one.difference for one in seeds), 4), "low": low, "high": high, "each": each}


def _resampled(task: Task, test: Examples, scores: list[FloatArray]) -> Any:
    """Mean macro-F1 over the seeds on each resample of the test rows, the same ones for all models."""
    families = [headline_family(task, test.labels, one) for one in scores]
    weights = draws(len(test), resamples=RESAMPLES, seed=0)
    return np.concatenate(
        [np.mean([family.resample(part)["macro_f1"] for family in families], axis=0) for part in weights]
    )


def _bounds(values: Any) -> tuple[float, float]:
    low, high = interval(values)
    return round(float(low), 4), round(float(high), 4)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=Path, help="a folder that keeps the encoder, or has it already")
    found = measure(parser.parse_args().workspace)
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, found | {"machine": machine()})
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
