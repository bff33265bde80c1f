"""A model folder that answers texts: the `ModelHandle` of every engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tuneloop.abstaining.abstainer import Abstainer
from tuneloop.abstaining.base import Reading
from tuneloop.abstaining.folder import open_abstainer
from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.fusion import read_by
from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.batches import inference_batches
from tuneloop.data.clean import clean_inputs, place_back
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.inference.cascade import is_cascade, open_cascade
from tuneloop.inference.engine import ENGINES, EXITS, Batch, Engine, logits_by
from tuneloop.inference.opening import open_tokenizer, read_settings
from tuneloop.inference.ruling import check_rules, outcomes, ruled
from tuneloop.knowledge.attach import Knowledge, open_knowledge
from tuneloop.models.flops import Flops
from tuneloop.models.knowing import knowing
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction, Task
    from tuneloop.tasks.generation import Generation

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]

MEASURED_TOKENS, MEASURED_BATCH = 32_768, 1024
"""Tokens on which scales are measured, of all texts and of a batch: a bound for time and memory."""


class Predictor:
    """Answers of one engine; equal inputs are computed once, texts of like length together.

    Args:
        engine: what turns batches into logits.
        task: what turns logits into answers.
        tokenizer: what turns texts into tokens.
        clean: how texts are mended first, as those of the training were.
        name: a short name for tables.
        knowledge: what the model reads behind texts, and the rules that its answers keep to.
        abstainer: what tells texts that are none of the model's own.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        task: Task,
        tokenizer: Tokenizer,
        clean: CleanConfig,
        name: str,
        knowledge: Knowledge | None = None,
        abstainer: Abstainer | None = None,
    ) -> None:
        check_rules(knowledge, task)
        self.engine: Engine | None = engine
        self.clean = clean
        self.task = task
        self.tokenizer = knowing(tokenizer, knowledge)
        self.name = name
        self.knowledge = knowledge
        self.abstainer = abstainer
        self.cost: Flops | None = None
        """Operations of its model for a text, where they are known."""
        self.flops = 0.0
        """Operations that the texts it has read needed; 0 where `cost` is not known."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it reads: text alone, or several of `core.fusion.MODALITIES`."""
        return read_by(self.tokenizer)

    def count_tokens(self, inputs: Sequence[Input]) -> IntArray:
        """Tokens that the model reads of each input, shape (n,)."""
        tokens = self._encode(inputs)
        return tokens.lengths if tokens.owners is None else np.bincount(tokens.owners, tokens.lengths).astype(np.int64)

    def truncated(self, inputs: Sequence[Input]) -> Any:
        """Whether something of each input is not read, bool, shape (n,)."""
        return _cut(self._encode(inputs))

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """Logits of every text that the model reads, float32: see `models.forward.gathered`."""
        return self._run(self._encode(inputs))

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """What the task decides by, in the order of `inputs`, before any rule: see `Task.answers`."""
        return self._answer(inputs)[0]

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order; rules have the last word."""
        if self.abstainer is not None:
            return self._judged(inputs, vectors=self.abstainer.wants_vectors(there=self.has_vectors))[0]
        scores, truncated = self._answer(inputs)
        return self.final(inputs, self.task.predictions(scores, truncated.tolist()))

    def predict_with_vectors(self, inputs: Sequence[Input]) -> tuple[list[Prediction], FloatArray]:
        """What `predict` says, and what the last layer received of each input, (n, hidden), both computed once.

        Only where `has_vectors`.
        """
        found, vectors = self._judged(inputs, vectors=True)
        assert vectors is not None
        return found, vectors

    def read(self, inputs: Sequence[Input], *, vectors: bool = True) -> Reading:
        """Probabilities, logits and, if they are wanted and there are any, vectors of inputs, in order.

        Only for tasks whose answer is one class for each text that the model reads.
        """
        return self._read(self._encode(inputs), inputs, vectors=vectors and self.has_vectors)

    @cached_property
    def has_vectors(self) -> bool:
        """Whether the engine tells what the last layer receives, and that is one vector for each input."""
        if self.task.layout != "whole" or not getattr(self.engine, "has_vectors", False):
            return False
        tokens = self._encode([("", "") if self.task.takes_pairs else ""])  # what any model reads
        return tokens.columns == 1 and tokens.owners is None

    def calibration(self, inputs: Sequence[Input]) -> list[Batch]:
        """What the model reads of inputs, on which `export_form` measures scales: nothing of it is padding."""
        if not inputs:
            return []
        tokens = self._encode(inputs)
        few = tokens.select(np.flatnonzero(np.cumsum(tokens.sizes) <= max(MEASURED_TOKENS, tokens.sizes[0])))
        return [few.batch(rows) for rows in inference_batches(few.sizes, max_tokens=MEASURED_BATCH, max_padding=0)]

    @property
    def has_rules(self) -> bool:
        """Whether rules may change what the model answers."""
        return self.knowledge is not None and self.knowledge.book is not None

    def final(self, inputs: Sequence[Input], found: list[Prediction]) -> list[Prediction]:
        """Predictions of the model as the rules have them, in order."""
        if self.knowledge is None or self.knowledge.book is None:
            return found
        return ruled(found, outcomes(self.knowledge.book, self.task, self.mended(inputs), found))

    def mended(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the texts that the model learnt from were mended."""
        return clean_inputs(inputs, self.clean)

    def close(self) -> None:
        """Let go of the engine's memory; no answers after this."""
        self.engine = None

    def _answer(self, inputs: Sequence[Input]) -> tuple[FloatArray, Any]:
        """Scores and whether each text was cut."""
        numbers: dict[Input, int] = {}
        rows = np.array([numbers.setdefault(item, len(numbers)) for item in inputs], dtype=np.int64)
        given = list(numbers)
        cleaned = clean_inputs(given, self.clean)
        tokens = self.tokenizer.encode(cleaned)
        scores = self._scores(tokens, cleaned)
        if self.task.spans_in:
            scores = self._in_given_places(scores, given, cleaned)
        return scores[rows], _cut(tokens)[rows]

    def _judged(self, inputs: Sequence[Input], *, vectors: bool) -> tuple[list[Prediction], FloatArray | None]:
        """Predictions that say how far outside their texts are, where there is an abstainer; vectors if wanted."""
        numbers: dict[Input, int] = {}
        rows = [numbers.setdefault(item, len(numbers)) for item in inputs]
        given = list(numbers)
        tokens = self._encode(given)
        reading = self._read(tokens, given, vectors=vectors)
        found = self.final(given, self.task.predictions(reading.probabilities, _cut(tokens).tolist()))
        if self.abstainer is not None:
            found = self.abstainer.judged(found, reading, self.task.labels)
        return [found[row] for row in rows], None if reading.vectors is None else reading.vectors[rows]

    def _read(self, tokens: Tokens, inputs: Sequence[Input], *, vectors: bool) -> Reading:
        if not vectors:
            logits, heard = self._run(tokens), None
        else:
            logits, heard = self._run_with_vectors(tokens)
        return Reading(self.task.answers(logits, tokens, inputs), logits, heard)

    def _scores(self, tokens: Tokens, inputs: list[Input]) -> FloatArray:
        """What the task decides by, for inputs that are mended and differ, from their tokens."""
        return self.task.answers(self._run(tokens), tokens, inputs)

    def _in_given_places(self, scores: FloatArray, given: list[Input], cleaned: list[Input]) -> FloatArray:
        """Stretches of the mended texts, as stretches of the texts that were given."""
        number = {"text": 0, "pair": 1}[self.task.spans_in]
        for row, (one, other) in enumerate(zip(given, cleaned, strict=True)):
            if one != other:
                text = one if isinstance(one, str) else one[number]
                scores[row] = tuple((place_back(span, text, self.clean), sure) for span, sure in scores[row])
        return scores

    def _encode(self, inputs: Sequence[Input]) -> Tokens:
        return self.tokenizer.encode(clean_inputs(inputs, self.clean))

    def _run(self, tokens: Tokens) -> FloatArray:
        return logits_by(self._asked(tokens), tokens, outputs=self.task.outputs)

    def _run_with_vectors(self, tokens: Tokens) -> tuple[FloatArray, FloatArray]:
        """Logits and vectors, (n, outputs) and (n, hidden)."""
        engine: Any = self._asked(tokens)
        groups = inference_batches(tokens.sizes, max_tokens=engine.max_batch_tokens)
        logits = np.zeros((len(tokens), self.task.outputs), dtype=np.float32)
        vectors = np.zeros((len(tokens), 0), dtype=np.float32)
        found = engine.run_with_vectors(tokens.batch(rows) for rows in groups)
        for rows, (answer, heard) in zip(groups, found, strict=True):
            if not vectors.size:
                vectors = np.zeros((len(tokens), heard.shape[1]), dtype=np.float32)
            logits[rows], vectors[rows] = answer, heard
        return logits, vectors

    def _asked(self, tokens: Tokens) -> Engine:
        """The engine; what it is about to read is counted."""
        if self.engine is None:
            raise ModelError(t("The model {name} is closed.", name=self.name), t("Open it again."))
        if self.cost is not None and self.engine.name != EXITS:  # what a text needs there hangs on where it leaves
            self.flops += self.cost.of(tokens.sizes)
        return self.engine


def _cut(tokens: Tokens) -> Any:
    """Whether each input was cut, bool, (n,)."""
    return tokens.truncated if tokens.owners is None else np.bincount(tokens.owners, tokens.truncated) > 0


def open_predictor(folder: Path, *, engine: str = "torch-fp32", form_folder: Path | None = None) -> Predictor:
    """The predictor of a model folder.

    Args:
        folder: a Hugging Face folder with `tuneloop.json`, or that of a cascade.
        engine: one of `ENGINES`; of a cascade also `inference.cascade.ENGINE`.
        form_folder: where `onnx/` or `openvino/` lie; `folder` by default.

    Raises:
        ConfigError: if there is no such engine.
        ModelError: if a file is missing or damaged.
        MissingExtraError: if the engine's package is not installed.
    """
    if is_cascade(folder):
        return open_cascade(folder, engine)  # type: ignore[return-value]
    if engine not in ENGINES:
        raise ConfigError(
            t("There is no engine called {name!r}.", name=engine),
            t("Choose one of: {known}.", known=", ".join(ENGINES)),
        )
    settings = read_settings(folder)
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    if task.generates:
        from tuneloop.inference.writing import open_writer

        return open_writer(folder, engine=engine, task=cast("Generation", task), settings=settings)
    opened = _open_engine(folder, engine, form_folder or folder)
    tokenizer = open_tokenizer(folder, task, settings)
    clean = CleanConfig(**settings["clean"])
    name = f"{folder.name} ({engine})"
    return Predictor(
        opened,
        task=task,
        tokenizer=tokenizer,
        clean=clean,
        name=name,
        knowledge=open_knowledge(folder),
        abstainer=open_abstainer(folder),
    )


def _open_engine(folder: Path, name: str, form_folder: Path) -> Engine:
    form = ENGINES[name]
    if name == EXITS:
        from tuneloop.inference.exits import ExitsEngine

        return ExitsEngine(folder)
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
