"""Why the served model answers as it does, asked for in small portions through the queue that predictions take."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t
from tuneloop.explain import EXPLAINERS, create_explainer
from tuneloop.explain.base import ExplainerOptions, Explanation
from tuneloop.media.store import remember
from tuneloop.serve.batching import Batcher
from tuneloop.serve.problems import Problem
from tuneloop.serve.schemas import Beside, judged
from tuneloop.serve.slot import ServedModel, Slot

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import FloatArray, Prediction, Task

THREADS = 2
MOST_WAITING = 16
"""Explanations that may be in work or wait."""
PORTION = 64
"""Texts that an explanation puts into the queue at once; predictions that come meanwhile go before the next ones."""
MOST_ANSWERS = 2048
"""Answers of the model that one explanation may take, whatever its method."""
DEADLINE_S = 60.0


class ExplainRequest(Beside):
    """A text and how its answer is to be explained."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"text": "a text", "method": "shapley"}]}
    )

    text: str = Field("", description="The text whose answer is explained.")
    pair: str | None = Field(None, description="The second text, for models that judge pairs.")
    release: str | None = Field(None, description="The release that is asked, where several answer side by side.")
    method: str = Field("shapley", description="shapley or occlusion.")
    target: str | None = Field(None, description="The class to explain; the most probable one by default.")
    unit: Literal["word", "phrase", "character", "modality"] = Field("word", description="What gets a number.")
    scale: Literal["probability", "log_odds"] = Field("probability", description="What is explained of a class.")
    answers: int = Field(512, ge=64, le=2000, description="Answers of the model that Shapley values may take.")

    def item(self, model: ServedModel) -> Input:
        """What the model judges.

        Raises:
            Problem: 422 if the model does not read what is given, or a file beside the text cannot be read.
        """
        takes_pairs = model.takes_pairs and (self.pair is not None or self.has_more)
        return judged(self, self.text, self.pair, reads=model.modalities, takes_pairs=takes_pairs, keep=remember)

    @property
    def most_answers(self) -> int:
        """Answers of the model that the explanation may take; each unit is left out once where none are drawn."""
        return self.answers if self.method == "shapley" else ExplainerOptions().max_units + 2


class UnitOut(BaseModel):
    """A part of the text."""

    start: int = Field(description="Its first character.")
    end: int = Field(description="The character behind its last.")
    text: str
    part: str = Field(description="text or pair.")
    value: float = Field(description="What it adds.")
    error: float | None = Field(None, description="Its standard error, where values are estimated.")


class ExplainResponse(BaseModel):
    """What each part of the text adds to the answer."""

    release: str
    method: str
    explains: bool = Field(description="Whether the values say why.")
    label: str = Field(description="The class that is explained; empty for a number.")
    scale: str = Field(description="probability, log_odds or value.")
    base: float | None = Field(description="The number where every part is absent.")
    output: float = Field(description="The number for the whole text.")
    error: float | None = Field(description="The stated error of the values.")
    error_kind: str = Field(description="exact, standard_error, gap or unknown.")
    asked: int = Field(description="Answers of the model that it took.")
    absent: str
    truncated: bool
    text: str
    pair: str | None
    units: list[UnitOut]
    details: dict[str, Any]


class Explaining:
    """Explains answers in a few threads of their own, which ask the model as clients do.

    Args:
        slot: the model.
        batcher: what answers texts.
        config: limits.
    """

    def __init__(self, slot: Slot, batcher: Batcher, config: ServeConfig) -> None:
        self._slot, self._batcher, self._config = slot, batcher, config
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tuneloop-explain")
        self._open = 0

    async def answer(self, request: ExplainRequest, item: Input, deadline_s: float) -> tuple[str, Explanation]:
        """The release that is explained, and the explanation.

        Args:
            item: what the model judges: `request.item`.

        Raises:
            Problem: 422 if the method or the class does not go with the model, 429 if too many wait, 504 after the
                deadline.
        """
        if self._open >= MOST_WAITING:
            raise Problem(
                429, t("{count} explanations are waiting, and no more fit.", count=self._open),
                t("Send the request again in {seconds} s.", seconds=1), headers={"Retry-After": "1"},
            )  # fmt: skip
        self._open += 1
        loop, stop = asyncio.get_running_loop(), threading.Event()
        language = contextvars.copy_context()
        try:
            async with asyncio.timeout(deadline_s):
                return await loop.run_in_executor(
                    self._threads, language.run, self._explain, request, item, _Limits(deadline_s, loop, stop)
                )
        except TimeoutError:
            raise Problem(
                504, t("The explanation was not finished before the deadline."),
                t("Allow fewer answers, send a shorter text, or allow more time."),
            ) from None  # fmt: skip
        finally:
            stop.set()
            self._open -= 1

    def close(self) -> None:
        """Take no more requests."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _explain(self, request: ExplainRequest, item: Input, limits: _Limits) -> tuple[str, Explanation]:
        with self._slot.borrow() as loaded:
            model = loaded.named(request.release) or loaded
            queued = _QueuedModel(model, loaded, self._batcher, limits, min(PORTION, self._config.max_queue))
            options: dict[str, Any] = {"unit": request.unit, "scale": request.scale}
            options |= {"answers": request.answers} if request.method == "shapley" else {}
            try:
                explainer = create_explainer(request.method, options)
                return model.release, explainer.explain(queued, item, label=request.target)
            except TuneloopError as error:
                raise Problem.of(error, 422) from None

    def request(self, body: bytes) -> ExplainRequest:
        """What is asked in a body.

        Raises:
            Problem: 400 and 422 for a bad request, 404 if there is no such method, 413 for a long text.
        """
        try:
            request = ExplainRequest.model_validate_json(body)
        except ValidationError as failure:
            wrong = failure.errors(include_url=False, include_input=False)[0]
            status = 400 if wrong["type"] == "json_invalid" else 422
            field = ".".join(map(str, wrong["loc"]))[:80]
            detail = t("The field {field} is missing or wrong.", field=field) if field else t("The body is no request.")
            raise Problem(status, detail, t('Send {"text": "...", "method": "shapley"}; see /docs.')) from None
        if not request.text and not request.has_more:
            field = t("The field {field} is missing or wrong.", field="text")
            raise Problem(422, field, t('Send {"text": "...", "method": "shapley"}; see /docs.'))
        if max(len(request.text), len(request.pair or "")) > self._config.max_text_chars:
            raise Problem(
                413,
                t("The text is too long."),
                t("Send at most {limit} characters.", limit=self._config.max_text_chars),
            )
        if request.method not in served_methods():
            raise Problem(
                404, t("There is no method {method!r} here.", method=request.method[:80]),
                t("Choose one of: {known}.", known=", ".join(served_methods())),
            )  # fmt: skip
        return request


def served_methods() -> list[str]:
    """Explainers that only ask for answers, and whose values say why."""
    return [name for name, kind in EXPLAINERS.items() if kind.explains and not kind.inside]


class _Limits:
    """How long an explanation may ask, and where."""

    def __init__(self, deadline_s: float, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        self.deadline_s, self.loop, self.stop = deadline_s, loop, stop


class _QueuedModel:
    """The served model as a `ModelHandle` for a thread; what it is asked waits in the queue like anything else."""

    def __init__(
        self, model: ServedModel, loaded: ServedModel, batcher: Batcher, limits: _Limits, portion: int
    ) -> None:  # fmt: skip
        self._model, self._loaded, self._batcher, self._limits, self._portion = model, loaded, batcher, limits, portion
        self._asked = 0

    @property
    def name(self) -> str:
        """The release."""
        return self._model.release

    @property
    def task(self) -> Task:
        """The model's."""
        return self._model.handle.task

    def mended(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the model reads them."""
        mend = getattr(self._model.handle, "mended", None)
        return list(inputs) if mend is None else list(mend(inputs))

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """What the task decides by, from the predictions."""
        plain = [each.to_json() for each in self.predict(inputs)]
        return self.task.scores_of(plain, np.zeros((len(plain), 1), np.float32))

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, portion by portion."""
        found: list[Prediction] = []
        for start in range(0, len(inputs), self._portion):
            found += self._ask(inputs[start : start + self._portion])
        return found

    def _ask(self, inputs: Sequence[Input]) -> list[Prediction]:
        if self._limits.stop.is_set():
            raise Problem(504, t("Nobody waits for this explanation any more."))
        self._asked += len(inputs)
        if self._asked > MOST_ANSWERS:
            raise Problem(
                422, t("This explanation takes more than {limit} answers.", limit=MOST_ANSWERS),
                t("Send a shorter text, or explain phrases."),
            )  # fmt: skip
        asked = self._loaded.directed(inputs, self._model.release)
        waiting = self._batcher.answer(asked, self._limits.deadline_s, keep=False)
        answer = asyncio.run_coroutine_threadsafe(waiting, self._limits.loop).result()
        if answer.release != self._model.release:
            raise Problem(409, t("Another release answers now."), t("Send the request again."))
        return answer.predictions
