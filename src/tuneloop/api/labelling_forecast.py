"""The part of the Python door that asks what more labels would bring."""

from __future__ import annotations

from typing import Any

from tuneloop.core.config import ModelConfig
from tuneloop.core.project import Config, Project, open_project
from tuneloop.data.examples import joined


def label_forecast(
    config: Config | Project, *, more: int | None = None, encoder: str = "", quiet: bool = False
) -> dict[str, Any]:
    """What more labels would bring, with an interval, what they would cost, and whether to go on.

    A linear model on vectors of the encoder learns from ever more of the train and dev rows, judged by rows held out;
    test stays unread. A fully tuned model may learn faster or slower than it: `tuneloop compare` with
    `comparison.budgets` measures that one.

    Args:
        config: its sections data, task, model and forecast hold.
        more: labels that are thought of; `forecast.more` by default.
        encoder: a model source for vectors; `model.source` by default.
        quiet: show no progress.

    Returns:
        See `labelling.curve.Forecast.to_json`; beside it the metric, the measured points as `measured`, and, where
        `forecast.goal` is set, the labels that it needs as `goal`.

    Raises:
        ConfigError: if the task has not one class for each text.
        DataError: if there are too few labels.
        ModelError: if the model gives no vectors.
    """
    import numpy as np

    from tuneloop import api
    from tuneloop.labelling.curve import forecast, labels_for
    from tuneloop.labelling.measuring import check_task, measure_curve
    from tuneloop.labelling.reading import embedded
    from tuneloop.models.source import resolve
    from tuneloop.tasks import create_task, task_class

    project = config if isinstance(config, Project) else open_project(config)
    settings, asked = project.config, project.config.forecast
    check_task(task_class(settings.task))
    snapshot = api.snapshot(project, quiet=quiet)
    rows = joined(snapshot.split("train"), snapshot.split("dev"))
    measured_on = rows.select(np.random.default_rng(settings.seed).permutation(len(rows))[: asked.rows].tolist())
    source = encoder or settings.model.source or ModelConfig().source
    vectors = embedded(measured_on.inputs, str(resolve(source, base=project.base)), quiet=quiet)
    task = create_task(settings.task, {"labels": list(snapshot.labels)})
    measured = measure_curve(vectors, measured_on.labels, task, runs=asked.runs, seed=settings.seed, quiet=quiet)
    found = forecast(
        measured, now=len(rows), more=more or asked.more, worth=asked.worth, price=asked.price, seconds=asked.seconds,
        seed=settings.seed,
    )  # fmt: skip
    means = zip(measured.labels.tolist(), measured.scores.mean(axis=0).tolist(), strict=True)
    told = found.to_json() | {
        "metric": task.primary_metric,
        "worth": asked.worth,
        "measured": [{"labels": int(labels), "score": score} for labels, score in means],
    }
    if asked.goal is not None:
        told["goal"] = {"score": asked.goal, "labels": labels_for(found.curve, asked.goal)}
    return told
