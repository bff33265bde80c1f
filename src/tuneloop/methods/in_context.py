"""In-context learning: labelled examples stand before every text, and nothing is trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.base import Solution, SolvedMethod, check_one_class
from tuneloop.methods.split import Split
from tuneloop.methods.verbalizer import GapOptions, check_gap, load_asked, prior_rows, take_prior_away
from tuneloop.models.forward import predict_logits
from tuneloop.models.load import APART, head_of
from tuneloop.models.shots import Shots, ShotsTokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import Sources
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import Task

Count = Annotated[int, Field(ge=0)]
Counts = Annotated[
    tuple[Count, ...],
    Field(min_length=1),
    BeforeValidator(lambda given: (given,) if isinstance(given, int) else given),
]
"""One number or several."""


class InContextOptions(GapOptions):
    """Options of in-context learning."""

    shots: Counts = Field((2, 4, 8), description="Examples before each text; of several numbers, dev chooses.")
    balanced: bool = Field(False, description="Take the nearest example of each class in turn, not the nearest of all.")
    separator: str = Field("\n", description="What stands after each example.")
    kept: int = Field(
        5000, ge=1, description="Training texts to choose examples from, at most; they are kept in the model folder."
    )


class InContext(SolvedMethod):
    """The training texts most like each text stand before it with their answers, and a language model goes on.

    Brown et al., "Language Models are Few-Shot Learners" (2020), section 2. Examples are chosen by TF-IDF, the nearest
    last: Liu et al., "What Makes Good In-Context Examples for GPT-3?" (2022). The class is the likeliest word,
    calibrated: Zhao et al., "Calibrate Before Use" (2021), with training texts for texts without content, none of which
    is its own example. Dev decides how many examples there are, and how sure to sound. The model folder holds the
    training texts (examples.json): a release gives them away. As much as fits model.max_tokens is read.
    """

    name = "in_context"
    Options = InContextOptions
    examples = {"template": "{text} {pair} {mask}"}  # noqa: RUF012
    options: InContextOptions
    mergeable = False

    @property
    def template(self) -> str:
        return self.options.template

    def check(self, task: Task) -> None:
        check_one_class(task, method=self.name)
        check_gap(self.options, task, method=self.name)

    def tokenizer(self, folder: Path, task: Task, max_tokens: int) -> Tokenizer:
        options = self.options
        _check_room(folder, max_tokens)
        words = {label: (options.verbalizer.get(label) or (label,))[0] for label in task.labels}
        self._reader = ShotsTokenizer(
            folder,
            max_tokens,
            options.template,
            words=words,
            separator=options.separator,
            balanced=options.balanced,
        )
        if (folder / APART).is_file():  # the folder of a finished model
            self._reader = self._reader.showing(Shots.read(folder))
        return self._reader

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        return load_asked(self.options, folder, task, trust_remote_code=trust_remote_code)

    def prepare(self, model: PreTrainedModel) -> None:
        model.requires_grad_(False)
        head_of(model).requires_grad_(True)

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        rows = np.sort(np.random.default_rng(sources.seed).permutation(len(train.labels))[: self.options.kept])
        inputs, labels = (tuple(given[row] for row in rows) for given in (train.inputs, train.labels))
        self._known = Shots(inputs, tuple(map(str, labels)))
        return train

    def solve(
        self, model: PreTrainedModel, task: Task, *, train: Split, dev: Split, precision: str, cache: Path
    ) -> Solution:
        texts = [train.inputs[row] for row in prior_rows(len(train.labels))]
        readers = [self._reader.showing(replace(self._known, count=count)) for count in self.options.shots]
        bias = head_of(model).bias
        unmoved, biases, trials = bias.detach().clone(), [], []
        for reader in readers:
            _put(bias, unmoved)
            if self.options.calibrate:
                take_prior_away(model, reader.encode_apart(texts), precision)
            biases.append(bias.detach().clone())
            scores = task.scores(predict_logits(model, reader.encode(dev.inputs), precision))
            figures = {f"dev_{name}": value for name, value in task.metrics(dev.labels, scores).items()}
            counts = {"shots": float(reader.shots.count), "shots_read": reader.mean_read(dev.inputs)}
            trials.append(counts | figures)
        chosen = max(range(len(trials)), key=lambda number: trials[number][f"dev_{task.primary_metric}"])
        _put(bias, biases[chosen])
        self._reader = readers[chosen]
        return Solution(trials, chosen)

    def facts(self, model: PreTrainedModel) -> dict[str, Any]:
        return {"shots": self._reader.shots.count}

    def reread(self, dev: Split) -> Split:
        return replace(dev, tokens=self._reader.encode(dev.inputs))

    def keep(self, folder: Path) -> None:
        self._reader.shots.write(folder)


def _check_room(folder: Path, max_tokens: int) -> None:
    """Nothing, if the pretrained model in a folder has a place for every token of the longest prompt."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    room = config.get("max_position_embeddings") or config.get("n_positions")
    if room and max_tokens > room:
        raise ConfigError(
            t(
                "Prompts of {tokens} tokens are longer than the {room} that the model reads.",
                tokens=max_tokens,
                room=room,
            ),
            t("Lower model.max_tokens."),
        )


def _put(parameter: torch.nn.Parameter, value: torch.Tensor) -> None:
    import torch

    with torch.no_grad():
        parameter.copy_(value)
