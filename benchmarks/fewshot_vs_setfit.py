"""Contrastive few-shot learning beside setfit: the same draws of labelled texts, the same test texts.

`python -m benchmarks fewshot_vs_setfit` trains both on five draws of 8 and of 16 texts of each class, in turn, in one
process. Neither side sees a label beyond its draw: what tuneloop takes for dev is its training texts. The draws are
not those that settings were chosen on.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import LABELS, Sentiment
from benchmarks.measure import seconds
from benchmarks.results import QUALITY, Result, Sides, result
from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.experiments.budget import draw
from tuneloop.tasks import create_task

BUDGETS = (8, 16)
DRAWS = 5
PATH = QUALITY / "fewshot.json"
RESAMPLES = 4000


class Few:
    """A few texts of each class; dev is the same texts, as nothing more is labelled."""

    labels = LABELS

    def __init__(self, budget: int, number: int) -> None:
        self.hash = f"few-{budget}-{number}"
        train = Sentiment().split("train")
        self.rows = train.select(draw(train.labels, budget, names=len(LABELS), seed=number))

    def split(self, name: str) -> Examples:
        """The few texts, whatever the name."""
        return self.rows


def run(name: str) -> Result:
    """Seconds of training, and macro-F1 on the test texts, over all draws."""
    test = Sentiment().split("test")
    _ours(Few(8, 99), 0, test), _setfit(Few(8, 99), 0, test)  # what is done once in a process
    sides, quality = Sides([], []), {}
    for budget in BUDGETS:
        times, scores = Sides([], []), Sides([], [])
        for number in range(DRAWS):
            few = Few(budget, number)
            for side, train in (("ours", _ours), ("peer", _setfit)):
                taken, answers = train(few, number, test)
                getattr(times, side).append(taken)
                getattr(scores, side).append(answers)
            print(f"  {budget}, draw {number}: {times.ours[-1]:.1f} s and {times.peer[-1]:.1f} s", flush=True)
        quality[str(budget)] = _quality(scores, times, test)
        print(f"  {budget} of each class: {quality[str(budget)]}", flush=True)
        sides.ours.extend(times.ours), sides.peer.extend(times.peer)
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, {"test_rows": len(test), "draws": DRAWS, "labels_of_each_class": quality})
    return result(
        name, sides, ours="method: contrastive, defaults", peer="SetFitTrainer, defaults (one epoch, batch 16)",
        peer_package="setfit", unit="s of training", quality=quality, smaller_is_better=True,
    )  # fmt: skip


def config(number: int) -> RunConfig:
    """The defaults of the method."""
    return parse_config(
        {"seed": number, "data": {"source": "x.csv"}, "method": "contrastive", "training": {"report_to": []}}
    )


def _ours(few: Few, number: int, test: Examples) -> tuple[float, Any]:
    from tuneloop.models.device import torch_form
    from tuneloop.training.run import tune

    with TemporaryDirectory() as folder:
        begin = time.perf_counter()
        finished = tune(config(number), snapshot=few, workspace=Workspace(Path(folder)), quiet=True)
        taken = time.perf_counter() - begin
        return taken, finished.handle(torch_form()).scores(test.inputs)


def _setfit(few: Few, number: int, test: Examples) -> tuple[float, Any]:
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    from tuneloop.models.source import resolve

    numbers = {label: position for position, label in enumerate(LABELS)}
    rows = {"text": few.rows.texts, "label": [numbers[str(label)] for label in few.rows.labels]}
    data = Dataset.from_dict(rows)
    with TemporaryDirectory() as folder:
        model = SetFitModel.from_pretrained(str(resolve(config(0).model.source)))
        arguments = TrainingArguments(output_dir=folder, seed=number, report_to="none", show_progress_bar=False)
        trainer = Trainer(model=model, args=arguments, train_dataset=data)
        taken = seconds(trainer.train)  # the loading of the model is not counted on this side
        return taken, np.asarray(model.predict_proba(test.texts, as_numpy=True), dtype=np.float32)


def _quality(scores: Sides, times: Sides, test: Examples) -> dict[str, Any]:
    """Mean macro-F1 of each side, and the interval of their difference over other draws and other test texts."""
    from tuneloop.evaluation.intervals import interval
    from tuneloop.experiments.judge import resampled

    task = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)})
    sides = {"ours": scores.ours, "peer": scores.peer}
    samples = resampled(sides, task, test.labels, resamples=RESAMPLES)
    low, high = interval(samples["ours"] - samples["peer"])
    each = [[task.metrics(test.labels, one)["macro_f1"] for one in side] for side in (scores.ours, scores.peer)]
    return {
        "tuneloop": round(mean(each[0]), 4), "setfit": round(mean(each[1]), 4),
        "difference": round(mean(each[0]) - mean(each[1]), 4),
        "interval_95": [round(float(low), 4), round(float(high), 4)],
        "tuneloop_each": [round(x, 4) for x in each[0]], "setfit_each": [round(x, 4) for x in each[1]],
        "tuneloop_s": round(mean(times.ours), 2), "setfit_s": round(mean(times.peer), 2),
    }  # fmt: skip
