"""A model folder that answers texts: the `ModelHandle` of every engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import CleanConfig, TaskConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.i18n import t
from tuneloop.data.batches import inference_batches
from tuneloop.data.clean import clean_inputs
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.inference.engine import ENGINES, Engine
from tuneloop.inference.opening import read_settings
from tuneloop.models.template import open_tokenizer
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction, Task

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]


class Predictor:
    """Answers of one engine; equal inputs are computed once, texts of like length together.

    Args:
        engine: what turns batches into logits.
        task: what turns logits into answers.
        tokenizer: what turns texts into tokens.
        clean: how texts are mended first, as those of the training were.
        name: a short name for tables.
    """

    def __init__(self, engine: Engine, *, task: Task, tokenizer: Tokenizer, clean: CleanConfig, name: str) -> None:
        self.engine: Engine | None = engine
        self.clean = clean
        self.task = task
        self.tokenizer = tokenizer
        self.name = name

    def count_tokens(self, inputs: Sequence[Input]) -> IntArray:
        """Tokens of each input after cutting, shape (n,)."""
        return self._encode(inputs).lengths

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """Logits in the order of `inputs`, float32, shape (n, outputs)."""
        return self._answer(inputs)[0]

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """Probabilities (n, classes), or values (n, 1) for regression, in the order of `inputs`."""
        return self.task.scores(self.logits(inputs))

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        logits, truncated = self._answer(inputs)
        return self.task.predictions(self.task.scores(logits), truncated.tolist())

    def close(self) -> None:
        """Let go of the engine's memory; no answers after this."""
        self.engine = None

    def _answer(self, inputs: Sequence[Input]) -> tuple[FloatArray, Any]:
        """Logits and whether each text was cut."""
        numbers: dict[Input, int] = {}
        rows = np.array([numbers.setdefault(item, len(numbers)) for item in inputs], dtype=np.int64)
        tokens = self._encode(list(numbers))
        return self._run(tokens)[rows], tokens.truncated[rows]

    def _encode(self, inputs: Sequence[Input]) -> Tokens:
        return self.tokenizer.encode(clean_inputs(inputs, self.clean))

    def _run(self, tokens: Tokens) -> FloatArray:
        if self.engine is None:
            raise ModelError(t("The model {name} is closed.", name=self.name), t("Open it again."))
        logits = np.zeros((len(tokens), self.task.outputs), dtype=np.float32)
        groups = inference_batches(tokens.lengths, max_tokens=self.engine.max_batch_tokens)
        answers = self.engine.run(tokens.batch(rows) for rows in groups)
        for rows, answer in zip(groups, answers, strict=True):
            logits[rows] = answer
        return logits


def open_predictor(folder: Path, *, engine: str = "torch-fp32", form_folder: Path | None = None) -> Predictor:
    """The predictor of a model folder.

    Args:
        folder: a Hugging Face folder with `tuneloop.json`.
        engine: one of `ENGINES`.
        form_folder: where `onnx/` or `openvino/` lie; `folder` by default.

    Raises:
        ConfigError: if there is no such engine.
        ModelError: if a file is missing or damaged.
        MissingExtraError: if the engine's package is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError(
            t("There is no engine called {name!r}.", name=engine),
            t("Choose one of: {known}.", known=", ".join(ENGINES)),
        )
    settings = read_settings(folder)
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    opened = _open_engine(folder, engine, form_folder or folder)
    tokenizer = open_tokenizer(folder, int(settings["max_tokens"]), settings.get("template", ""))
    clean = CleanConfig(**settings["clean"])
    return Predictor(opened, task=task, tokenizer=tokenizer, clean=clean, name=f"{folder.name} ({engine})")


def _open_engine(folder: Path, name: str, form_folder: Path) -> Engine:
    form = ENGINES[name]
    if form is None:
        from tuneloop.inference.torch_engine import TorchEngine

        return TorchEngine(folder, name)
    path = form_folder / form
    if not path.is_file():
        raise ModelError(t("{path} is missing.", path=path), t("Export this form again."))
    if name.startswith("onnx"):
        from tuneloop.inference.onnx_engine import OnnxEngine

        return OnnxEngine(path, name)
    from tuneloop.inference.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(path, name)
