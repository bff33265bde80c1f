"""From a configuration to what its functions say, what that is worth, and rows with probabilities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.config import RunConfig, TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import write_json_lines
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.mapped import pick
from tuneloop.evaluation.calibration import Calibration
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Task
from tuneloop.tasks.temperature import fit_temperature
from tuneloop.weak import label_model, table
from tuneloop.weak.base import Votes, vote
from tuneloop.weak.functions import FunctionFile, read_functions
from tuneloop.weak.label_model import Array, LabelModel
from tuneloop.weak.texts import FUNCTIONS, PROBABILITIES, Gathered, gather

FEWEST = 50
"""Rows of dev with a vote from which probabilities are calibrated."""

FOLDS = 5
DIGITS = 6


@dataclass(frozen=True)
class Study:
    """What functions say of the texts and of dev, and the model of it.

    Args:
        file: the functions.
        found: texts and dev.
        votes: of the texts.
        dev: of the rows of dev; None without any.
        model: calibrated on dev where that has rows enough.
    """

    config: RunConfig
    file: FunctionFile
    found: Gathered
    votes: Votes
    dev: Votes | None
    model: LabelModel

    @property
    def task(self) -> Task:
        """Classification with the classes of the functions."""
        return create_task(TaskConfig(type="classification"), {"labels": list(self.votes.labels)})

    def to_json(self) -> dict[str, Any]:
        """The table, near-duplicates, the label model and what it is worth on dev, plain."""
        truth = None if self.found.dev is None else self.task.targets(self.found.dev.labels)
        spoken = self.votes.spoken.any(axis=1)
        shares = self.model.probabilities(self.votes)[spoken].mean(axis=0)
        settings = self.config.weak
        return {
            "file": self.file.name,
            "texts": len(self.found.texts),
            "labelled": int(spoken.sum()),
            "classes": list(self.votes.labels),
            "functions": table.rows(self.file.functions, self.votes, self.dev, truth),
            "pairs": table.near_duplicates(self.votes, threshold=settings.near_duplicate),
            "model": {
                "type": settings.model,
                "priors": self._by_class(self.model.priors),
                "shares": self._by_class(shares),
                "iterations": self.model.iterations,
                "temperature": round(self.model.temperature, DIGITS),
            },
            "dev": None if self.dev is None or truth is None else self._worth(self.dev, truth),
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each text of which a function speaks: text, likeliest label, probabilities, who spoke, the rest."""
        columns, texts = self.config.data.columns, self.found.texts
        probabilities = self.model.probabilities(self.votes)
        taken = {columns.text, columns.label, PROBABILITIES, FUNCTIONS}
        for row in np.flatnonzero(self.votes.spoken.any(axis=1)).tolist():
            yield {
                columns.text: texts.texts[row],
                columns.label: self.votes.labels[int(probabilities[row].argmax())],
                PROBABILITIES: self._by_class(probabilities[row]),
                FUNCTIONS: self.votes.speakers(row),
                **{name: values[row] for name, values in texts.columns.items() if name not in taken},
            }

    def _by_class(self, values: Array) -> dict[str, float]:
        return {label: round(float(value), DIGITS) for label, value in zip(self.votes.labels, values, strict=True)}

    def _worth(self, dev: Votes, truth: Any) -> dict[str, Any]:
        """Figures of the label model on the rows of dev that have a vote, and of all rows.

        ECE and log loss after calibration are of folds whose temperature was found on the others.
        """
        assert self.found.dev is not None
        spoken = np.flatnonzero(dev.spoken.any(axis=1))
        labels = list(pick(self.found.dev.labels, spoken))
        plain = replace(self.model, temperature=1.0)
        logits = plain.logits(dev)[spoken]
        every = self.task.metrics(self.found.dev.labels, self.model.probabilities(dev).astype(np.float32))
        found: dict[str, Any] = {"rows": len(truth), "voted": len(spoken), "macro_f1": every["macro_f1"]}
        if not len(spoken):
            return found
        right = int((logits.argmax(axis=1) == truth[spoken]).sum())
        found |= {
            "accuracy_voted": table.wilson(right, len(spoken)),
            "before_calibration": _sureness(self.task, labels, truth[spoken], logits),
        }
        if len(spoken) >= FEWEST:
            after = _sureness(self.task, labels, truth[spoken], _crossed(self.task, labels, logits))
            found["after_calibration"] = after
        return found


def study(config: RunConfig, *, base: Path, workspace: Workspace, quiet: bool = False) -> Study:
    """Ask the functions of the section `weak` about its texts and dev, and fit the label model.

    Raises:
        ConfigError: if no functions are named, or one is wrong; with file, line and field.
        DataError: if texts cannot be read.
    """
    if not config.weak.functions:
        raise ConfigError(t("No labelling functions are named."), t("Set weak.functions to their YAML file."))
    found = gather(config, base=base, workspace=workspace, quiet=quiet)
    file = read_functions(base / config.weak.functions, workspace=workspace, seed=config.seed)
    known = () if found.dev is None else tuple(sorted({str(label) for label in found.dev.labels}))
    classes = file.classes(known)
    for function in file.functions:
        function.begin(found.texts.texts, classes)
    votes = vote(file.functions, found.texts.texts, classes, quiet=quiet)
    dev = None if found.dev is None else vote(file.functions, found.dev.texts, classes, quiet=quiet)
    model = label_model.fit(
        votes, model=config.weak.model, priors=_priors(config, classes, found.dev), trust=config.weak.trust
    )
    made = Study(config, file, found, votes, dev, model)
    return replace(made, model=_calibrated(made))


def write_rows(made: Study, path: Path) -> dict[str, Any]:
    """Write the rows as JSON lines; how many there are, of each class, and how many texts have none.

    Dev and test of a dealt `data.source` go beside it as NAME.dev.jsonl and NAME.test.jsonl, so that training on the
    rows is measured by the labels of people.

    Raises:
        StorageError: if the disk refuses.
    """
    columns, rows = made.config.data.columns, list(made.rows())
    write_json_lines(path, rows)
    beside = {}
    for name, examples in made.found.dealt.items():
        pairs = zip(examples.texts, examples.labels, strict=True)
        beside[name] = str(path.with_suffix(f".{name}.jsonl"))
        write_json_lines(Path(beside[name]), [{columns.text: text, columns.label: label} for text, label in pairs])
    counts = Counter(row[columns.label] for row in rows)
    left = len(made.found.texts) - len(rows)
    return {"path": str(path), "rows": len(rows), "left_out": left, "labels": dict(counts), "beside": beside}


def _priors(config: RunConfig, classes: tuple[str, ...], dev: Examples | None) -> Array | None:
    """How frequent the classes are as the configuration says; None to estimate it."""
    asked = config.weak.priors
    if isinstance(asked, dict):
        values = np.array([asked.get(label, 0.0) for label in classes])
        if set(asked) != set(classes) or (values <= 0).any() or abs(values.sum() - 1) > 0.01:
            raise ConfigError(
                t("weak.priors needs a share above 0 for each class, and their sum is 1."),
                t("Classes: {known}.", known=", ".join(classes)),
            )
        return np.asarray(values / values.sum())
    if asked == "balanced":
        return np.full(len(classes), 1 / len(classes))
    if asked == "estimated":
        return None
    if dev is None:
        raise ConfigError(t("weak.priors is dev, but there is no dev."), t("Set data.dev, or weak.priors: balanced."))
    counts = Counter(map(str, dev.labels))
    values = np.array([counts[label] + 1.0 for label in classes])
    return np.asarray(values / values.sum())


def _calibrated(made: Study) -> LabelModel:
    """The model with the temperature of dev; as it is where dev has too few rows with a vote."""
    if made.dev is None or made.found.dev is None:
        return made.model
    spoken = np.flatnonzero(made.dev.spoken.any(axis=1))
    if len(spoken) < FEWEST:
        return made.model
    labels = list(pick(made.found.dev.labels, spoken))
    return replace(made.model, temperature=fit_temperature(made.model.logits(made.dev)[spoken], labels, made.task))  # type: ignore[arg-type]


def _crossed(task: Task, labels: list[Any], logits: Array) -> Array:
    """Logits of each fold over the temperature of the other folds."""
    fold = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    found = np.empty_like(logits)
    for number in range(FOLDS):
        own = [label for label, place in zip(labels, fold, strict=True) if place != number]
        temperature = fit_temperature(logits[fold != number], own, task)
        found[fold == number] = logits[fold == number] / temperature
    return found


def _sureness(task: Task, labels: list[Any], truth: Any, logits: Array) -> dict[str, float]:
    """ECE, Brier score and log loss."""
    from tuneloop.tasks.temperature import negative_log_likelihood

    values = Calibration(task, labels, task.scores(logits)).values()  # type: ignore[arg-type]
    return values | {"log_loss": negative_log_likelihood(logits, truth)}
