"""Functions that ask a model: a release, or a model that has seen no label (zero-shot)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import MethodConfig, TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.methods import create_method
from tuneloop.methods.base import SolvedMethod
from tuneloop.methods.split import Split
from tuneloop.models.device import choose_device, choose_precision
from tuneloop.models.forward import predict_logits
from tuneloop.models.quantized import moved
from tuneloop.models.source import resolve
from tuneloop.releases.index import newest
from tuneloop.releases.read import open_release
from tuneloop.tasks import create_task
from tuneloop.weak.base import LabellingFunction

if TYPE_CHECKING:
    from tuneloop.data.tokens import Tokens


class ReleaseFunction(LabellingFunction):
    """The answer of a release where it is sure enough; its rules have the last word, and it may abstain.

    Args:
        release: a release, or a model's name for its newest one.
        threshold: probability of the answer from which it speaks.
    """

    kind = "release"

    def __init__(self, name: str, place: str, *, release: str, threshold: float, workspace: Workspace) -> None:
        super().__init__(name, place)
        self.release, self.threshold, self.workspace = release, threshold, workspace

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        found = open_release(newest(self.release, self.workspace), self.workspace)
        with closing(found.predictor()) as predictor:
            task = predictor.task
            if task.problem_type != "single_label_classification" or task.takes_pairs or task.layout != "whole":
                raise ConfigError(
                    t("{place}: {release} does not give single texts one class each.", place=self.place,
                      release=self.release),
                    t("Name a release of the task classification."),
                )  # fmt: skip
            answers = predictor.predict(list(texts))
        return [
            None if each.abstained or each.probabilities[str(each.label)] < self.threshold else str(each.label)
            for each in answers
        ]


class ZeroShotFunction(LabellingFunction):
    """The method zero_shot on the texts that are to be labelled: of these it takes what is common to all, no label.

    Args:
        model: as `model.source` names it.
        options: of the method zero_shot.
        threshold: probability of the likeliest class from which it speaks; it is not calibrated.
        base: the folder that relative paths start from.
    """

    kind = "zero_shot"

    def __init__(
        self,
        name: str,
        place: str,
        *,
        model: str,
        options: dict[str, Any],
        threshold: float,
        max_tokens: int,
        seed: int,
        base: Path,
    ) -> None:
        super().__init__(name, place)
        self.model, self.threshold, self.max_tokens, self.seed, self.base = model, threshold, max_tokens, seed, base
        self.method = create_method(MethodConfig(type="zero_shot", **options))

    def begin(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        import torch

        assert isinstance(self.method, SolvedMethod)
        self._task = create_task(TaskConfig(type="classification"), {"labels": list(labels)})
        self.method.fit(self._task)
        folder = resolve(self.model, base=self.base)
        self._tokenizer = self.method.tokenizer(folder, self._task, self.max_tokens)
        torch.manual_seed(self.seed)
        model = self.method.load(folder, self._task, pooling="auto", trust_remote_code=False)
        self.method.prepare(model)
        device = choose_device()
        self._model, self._precision = moved(model, device=device), choose_precision("auto", device)
        self._model.train(False)
        train = self.method.gather(Split(self._tokens(texts), []), self._task, _Sentences(self))  # type: ignore[arg-type]
        dev = Split(train.tokens, [])  # whose figures nobody asks for
        with TemporaryDirectory() as cache:
            self.method.solve(
                self._model, self._task, train=train, dev=dev, precision=self._precision, cache=Path(cache)
            )

    def votes(self, texts: Sequence[str]) -> list[str | None]:
        scores = self._task.scores(predict_logits(self._model, self._tokens(texts), self._precision))
        sure = scores.max(axis=1) >= self.threshold
        return [str(label) if said else None for label, said in zip(self._task.decide(scores), sure, strict=True)]

    def _tokens(self, texts: Sequence[str]) -> Tokens:
        return self._tokenizer.encode(list(texts))


class _Sentences:
    """The part of `methods.base.Sources` that zero_shot asks for: the tokens of its descriptions."""

    def __init__(self, function: ZeroShotFunction) -> None:
        self._function = function

    def tokens(self, inputs: Sequence[str]) -> Tokens:
        """Tokens of sentences."""
        return self._function._tokens(inputs)
