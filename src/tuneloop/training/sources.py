"""What a method may read beside train and dev: another model's answers, and texts without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import DataConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.fusion import read_by
from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.clean import clean_inputs, clean_texts
from tuneloop.data.duplicates import comparables
from tuneloop.data.examples import Examples, Input
from tuneloop.data.labelled import read_unlabelled
from tuneloop.data.token_cache import cached_tokens
from tuneloop.data.tokens import Tokens
from tuneloop.inference.predictor import open_predictor
from tuneloop.models.features import remember
from tuneloop.models.shots import EXAMPLES
from tuneloop.models.source import deciding_hashes
from tuneloop.models.tokenizer import Tokenizer

if TYPE_CHECKING:
    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


class RunSources:
    """The `methods.base.Sources` of a run. `hashes` names what was read: a checkpoint is bound to it.

    Args:
        split: gives the rows of train, dev or test.
        dev: the tokens and labels of dev.
        seed: of the run.
        base: the folder that relative paths start from.
        cache: where answers and tokens are kept for the next run; None keeps nothing.
    """

    def __init__(
        self,
        task: Task,
        data: DataConfig,
        *,
        split: Callable[[str], Examples],
        dev: Split,
        seed: int,
        tokenizer: Tokenizer,
        workspace: Workspace,
        base: Path,
        cache: Path | None,
    ) -> None:
        self.task, self.data, self.split, self.dev, self.tokenizer, self.seed = task, data, split, dev, tokenizer, seed
        self.workspace, self.base, self.cache = workspace, base, cache
        self.hashes: dict[str, str] = {}
        self._known: dict[str, FloatArray] = {}

    @property
    def inputs(self) -> Sequence[Input]:
        return self.split("train").inputs

    def tokens(self, inputs: Sequence[Input]) -> Tokens:
        return cached_tokens(self.tokenizer, inputs, self.cache)

    def texts_in(self, column: str, split: str) -> list[str]:
        examples = self.split(split)
        if column not in examples.columns:
            raise ConfigError(
                t("The rows of {split} have no column called {name!r}.", split=split, name=column),
                t("Their columns: {known}. Set method.rejected.", known=", ".join(examples.columns)),
            )
        values = examples.columns[column]
        for number, value in zip(examples.ids, values, strict=True):
            if not isinstance(value, str) or not value.strip():
                raise ConfigError(
                    t('Row {id} of {split}: "{name}" is no text.', id=number, split=split, name=column),
                    t("Fill it in, or leave the row out."),
                )
        texts, _ = clean_texts(values, self.data.clean)
        self.hashes[f"{column} of {split}"] = hash_texts(texts)
        return texts

    def remembered(self, key: Any, compute: Callable[[], FloatArray]) -> FloatArray:
        name = hash_json(key)
        if name not in self._known:
            path = self.cache and self.cache / "answers" / f"{name}.npy"
            self._known[name] = remember(path, compute) if path else compute()
        return self._known[name]

    def unlabelled(self, source: str) -> list[Input]:
        found = read_unlabelled(source, self.data, base=self.base, task=self.task)
        inputs = clean_inputs(found.inputs, self.data.clean)
        seen = {text for name in ("train", "dev", "test") for text in comparables(self.split(name))}
        new: dict[str, Input] = {}
        for text, item in zip(comparables(_examples(inputs)), inputs, strict=True):
            if text not in seen:
                new.setdefault(text, item)
        if not new:
            raise DataError(
                t("Every text in {source} is in train, dev or test already.", source=source),
                t("Give texts that are in none of them, or leave the setting empty."),
            )
        self.hashes["texts"] = _hash_inputs(list(new.values()))
        return list(new.values())

    def teacher(self, name: str, inputs: Sequence[Input]) -> FloatArray:
        folder = self._folder(name)
        self.hashes["teacher"] = hash_json(deciding_hashes(folder, EXAMPLES))
        if self.cache is None:
            return self._answers(folder, name, inputs)
        key = hash_json([self.hashes["teacher"], self.task.state, _hash_inputs(inputs)])
        return remember(self.cache / "teachers" / f"{key}.npy", lambda: self._answers(folder, name, inputs))

    def _answers(self, folder: Path, name: str, inputs: Sequence[Input]) -> FloatArray:
        predictor = open_predictor(folder)
        theirs = predictor.task
        if theirs.name != self.task.name or sorted(theirs.labels) != sorted(self.task.labels):
            raise ConfigError(
                t("The teacher {name} answers another question than this model will.", name=name),
                t("Give a teacher with the task {task} and the same classes.", task=self.task.name),
            )
        reads, ours = read_by(predictor.tokenizer), read_by(self.tokenizer)
        if sorted(reads) != sorted(ours):
            raise ConfigError(
                t("The teacher {name} reads {theirs}, and this model reads {ours}.", name=name,
                  theirs="+".join(reads), ours="+".join(ours)),
                t("Give a teacher that was tuned with the same modality."),
            )  # fmt: skip
        logits = predictor.logits(inputs)
        predictor.close()
        if not self.task.has_classes:  # the teacher answers in the units of the labels, the model learns without them
            return self.task.targets(list(logits[:, 0]))[:, None]
        return logits[:, [theirs.labels.index(label) for label in self.task.labels]]

    def _folder(self, name: str) -> Path:
        """The model folder that a name or path stands for."""
        found = finished_model(name, base=self.base, workspace=self.workspace)
        if found is None:
            raise ConfigError(
                t("There is no teacher called {name!r} in {folder}.", name=name, folder=self.workspace.root),
                t("Give a release such as mood-1, the id of a finished run, or a folder that tuneloop wrote."),
            )
        return found


def finished_model(name: str, *, base: Path, workspace: Workspace) -> Path | None:
    """The model folder of a release or run, or the one at a path; None if there is none."""
    places = [base / name, workspace.releases / name, workspace.runs / name / "model"]
    return next((place for place in places if (place / "tuneloop.json").is_file()), None)


def _examples(inputs: Sequence[Input]) -> Examples:
    if inputs and isinstance(inputs[0], tuple):
        return Examples([], [item[0] for item in inputs], pairs=[item[1] for item in inputs])
    return Examples([], [str(item) for item in inputs])


def _hash_inputs(inputs: Sequence[Input]) -> str:
    return hash_texts(part for item in inputs for part in (item if isinstance(item, tuple) else (item,)))
