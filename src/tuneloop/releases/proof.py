"""Every form of a model against the model that was evaluated, before a release is finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.deployment import ReleaseConfig
from tuneloop.core.errors import ModelError, ReleaseError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.examples import Examples
from tuneloop.inference.engine import DYNAMIC, ENGINES, EXITS, STATIC
from tuneloop.inference.exits import exit_files
from tuneloop.inference.opening import ROUTER
from tuneloop.inference.ruling import final_scores
from tuneloop.models.item_tokenizer import reads_items
from tuneloop.releases.agreement import Agreement, agree, batch_effect
from tuneloop.releases.calibration import not_enough, texts_in
from tuneloop.releases.next_tokens import agree_on_answers, agree_on_next, neighbours_effect, next_tokens

if TYPE_CHECKING:
    from tuneloop.tasks.base import FloatArray

REFERENCE = "torch-fp32"
"""The engine that the evaluation of models that judge texts is made with."""

TORCH_FORMS = ("torch-fp32", "torch-bf16")
"""The forms of a model that writes, of one that chooses between adapters, and of one that reads more than text."""

SERVED_PROMPTS = 16
"""Rows of dev that a model that writes answers over HTTP: each takes as long as its answer."""


@dataclass(frozen=True)
class Tools:
    """What turns a model folder into forms and measures them; tests pass their own.

    Args:
        export: writes a form of the model in a folder; gives the files. See `inference.export.export_form`.
        open: the predictor of a folder with an engine.
        speed: texts per second; for a model that writes, answers (see `Writer.answers_per_s`).
        serve: the scores that a client of the HTTP server would get, near to the given ones; None leaves that out.
    """

    export: Callable[..., list[Path]]
    open: Callable[[Path, str], Any]
    speed: Callable[[Any, Sequence[Any]], float]
    serve: Callable[[Any, Sequence[Any], FloatArray], FloatArray] | None = None


class Proof:
    """Every form of a model against the torch model that was evaluated, on the rows of dev.

    Args:
        folder: the staged release.
        rules: what a form must keep to.
        dev: rows that the model was not trained on.
        tools: what exports, opens and measures.
        reference: the engine that the evaluation was made with.
        vectors: whether the engine that answers by default must tell vectors, which only torch does.
        calibration: gives the rows of train that a form may be calibrated on; None where there are none.
    """

    def __init__(
        self,
        folder: Path,
        rules: ReleaseConfig,
        dev: Examples,
        tools: Tools,
        *,
        reference: str = REFERENCE,
        vectors: bool = False,
        calibration: Callable[[], Examples] | None = None,
    ) -> None:
        self.folder, self.rules, self.dev, self.tools, self.reference = folder, rules, dev, tools, reference
        self.vectors, self.calibration = vectors, calibration
        self._forms: dict[str, Any] = {}

    def run(self, *, quiet: bool) -> tuple[dict[str, Any], str]:
        """What was found about each engine, and the fastest of those that may be the default."""
        forms = self._forms = {}
        with progress(t("exporting and proving"), len(self.rules.forms) + 2, quiet=quiet) as bar:
            reference = self.tools.open(self.folder, self.reference)
            torch_alone = reference.task.generates or (self.folder / ROUTER).is_file() or reads_items(self.folder)
            tried = [form for form in (TORCH_FORMS if torch_alone else self.rules.forms) if form != self.reference]
            tried += [EXITS] if exit_files(self.folder) else []
            try:
                self.task, self.expected = reference.task, self._answers(reference)
                speed = self.tools.speed(reference, self.dev.inputs)
                forms[self.reference] = {"accepted": True, "texts_per_s": speed}
            finally:
                reference.close()
            for form in tried:
                bar.update(len(forms), form)
                forms[form] = self._try(form)
            if self.calibration and (why := not_enough(forms, self.rules.max_batch_effect)):
                bar.update(len(forms), STATIC)
                forms[STATIC] = self._try_instead() | {"instead_of": {DYNAMIC: why}}
            bar.update(len(self.rules.forms) + 2)
        fit = [name for name, found in forms.items() if self._may_be_default(name, found)]
        return forms, max(fit, key=lambda name: forms[name]["texts_per_s"])

    def serve(self, engine: str) -> dict[str, Any] | None:
        """How the answers that come over HTTP agree with the evaluated model; None if that is left out.

        Raises:
            ReleaseError: if they lose more than a form may.
        """
        if self.tools.serve is None:
            return None
        predictor = self.tools.open(self.folder, engine)
        try:
            if self.task.generates:
                found = self._served_answers(predictor, self.tools.serve)
            else:
                served = self.tools.serve(predictor, self.dev.inputs, self.expected)
                found = agree(self.task, self.dev.labels, self.expected, served)
        finally:
            predictor.close()
        if not found.finite or found.loss > self.rules.max_loss:
            raise ReleaseError(
                t("Answers over HTTP lose {loss:.4f} against the evaluated model.", loss=found.loss),
                t("Nothing was released. This is a bug worth reporting."),
            )
        return {"engine": engine, **found.to_json()}

    def _served_answers(self, writer: Any, serve: Callable[[Any, Sequence[Any], FloatArray], FloatArray]) -> Agreement:
        """How answers that are written over HTTP agree with those in Python, each alone, by the likeliest tokens.

        Alone, because company changes the order of sums, and with it now and then a word.
        """
        few, greedy = self.dev.inputs[:SERVED_PROMPTS], writer.greedy()
        expected = np.concatenate([final_scores(greedy, [prompt]) for prompt in few])
        return agree_on_answers(writer, few, expected, serve(greedy, few, expected))

    def _try(self, form: str) -> dict[str, Any]:
        if form == STATIC:
            return self._try_calibrated()
        files = exit_files(self.folder) if form == EXITS else []
        if ENGINES.get(form, "") is not None:
            files = self.tools.export(self.folder, form, self.folder, **self._whole())
        return self._prove(form, files)

    def _whole(self) -> dict[str, Path]:
        """The fp32 form in ONNX, if it was tried before and accepted: those in int8 are made of it."""
        path = self.folder / str(ENGINES["onnx-fp32"])
        accepted = self._forms.get("onnx-fp32", {}).get("accepted")
        return {"whole": path} if accepted and path.is_file() else {}

    def _try_calibrated(self) -> dict[str, Any]:
        batches = []
        if self.calibration:
            with closing(self.tools.open(self.folder, self.reference)) as predictor:
                batches = predictor.calibration(self.calibration().inputs)
        files = self.tools.export(self.folder, STATIC, self.folder, calibration=batches, **self._whole())
        return self._prove(STATIC, files) | {"calibration": {"split": "train", "texts": texts_in(batches)}}

    def _try_instead(self) -> dict[str, Any]:
        """The same where nobody asked for it: a form more that cannot be made is no reason to release nothing."""
        try:
            return self._try_calibrated()
        except ModelError as error:
            return {"accepted": False, "reason": "error", "error": error.problem}

    def _prove(self, form: str, files: list[Path]) -> dict[str, Any]:
        try:
            return self._judge(form, files)
        except ModelError as error:  # an engine that cannot run it on this machine is no reason to release nothing
            for file in files:
                file.unlink(missing_ok=True)
            return {"accepted": False, "reason": "error", "error": error.problem}

    def _judge(self, form: str, files: list[Path]) -> dict[str, Any]:
        predictor = self.tools.open(self.folder, form)
        try:
            answers = self._answers(predictor)
            if self.task.generates:
                found = agree_on_next(self.expected, answers)
            else:
                found = agree(self.task, self.dev.labels, self.expected, answers)
            if not found.finite or found.loss > self.rules.max_loss:
                for file in files:
                    file.unlink()
                return {"accepted": False, "reason": "loss", **found.to_json()}
            effect = (neighbours_effect if self.task.generates else batch_effect)(predictor, self.dev)
            speed = self.tools.speed(predictor, self.dev.inputs)
        finally:
            predictor.close()
        return {"accepted": True, "texts_per_s": speed, **found.to_json(), "batch_effect": effect}

    def _answers(self, predictor: Any) -> Any:
        if predictor.task.generates:
            return next_tokens(predictor, self.dev)
        return final_scores(predictor, self.dev.inputs)

    def _may_be_default(self, name: str, found: dict[str, Any]) -> bool:
        if self.vectors and ENGINES.get(name) is not None:
            return False
        return bool(found["accepted"]) and found.get("batch_effect", 0.0) <= self.rules.max_batch_effect


def real_tools(serve: Callable[[Any, Sequence[Any], FloatArray], FloatArray] | None = None) -> Tools:
    """The tools that a release is made with."""
    from tuneloop.inference.export import export_form
    from tuneloop.inference.measure import measure_engine
    from tuneloop.inference.predictor import open_predictor

    return Tools(
        export=export_form,
        open=lambda folder, engine: open_predictor(folder, engine=engine),
        speed=lambda predictor, inputs: (
            predictor.answers_per_s(inputs)
            if predictor.task.generates
            else float(measure_engine(predictor, inputs[:256], seconds=2.0).texts_per_s)
        ),
        serve=serve,
    )
