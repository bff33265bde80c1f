"""One of several answers that come with the question: exams, reading comprehension, commonsense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.cells import from_json
from tuneloop.data.examples import Input, Label
from tuneloop.tasks.base import Prediction
from tuneloop.tasks.parted import PartedTask
from tuneloop.tasks.spans import as_scores, object_changes

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tuneloop.core.preparation import CleanConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import FloatArray


class MultipleChoice(PartedTask):
    """Softmax over the choices of a question, each read together with it.

    Radford et al., "Improving Language Understanding by Generative Pre-Training" (2018), section 3.3. A question may
    have any number of choices; they stand in the second column, as a list or one per line. The label is the choice
    itself, its number from 0, or its letter from A. Scores are an array (n,) of choices with their probabilities.
    """

    name = "multiple_choice"
    problem_type = "multiple_choice"
    primary_metric = "accuracy"
    takes_pairs = True
    has_classes = False
    has_probabilities = False
    layout = "choices"
    row_by_row = True
    baselines = ("majority", "overlap")

    @classmethod
    def parse_label(cls, raw: Any) -> Label:
        raise ValueError(t("an answer is understood beside its choices alone"))

    @classmethod
    def parse_input(cls, text: Any, pair: Any) -> tuple[Any, Any]:
        listed = pair if isinstance(pair, list | tuple) else from_json(pair)
        choices = [" ".join(str(each).split()) for each in (_lines(pair) if listed is None else listed)]
        if len(choices) < 2 or not all(choices):
            raise ValueError(t("there are not two choices"))
        _refuse_twins(choices)
        return text, "\n".join(choices)

    @classmethod
    def parse_row(cls, text: Any, pair: Any, label: Any) -> tuple[Any, Any, Label]:
        text, pair = cls.parse_input(text, pair)
        choices = pair.split("\n")
        return text, pair, choices[_number(label, choices)]

    @classmethod
    def moved(cls, label: Label, before: Input, after: Input, config: CleanConfig) -> Label:
        choices = after[1].split("\n")
        _refuse_twins(choices)
        return choices[before[1].split("\n").index(str(label))]

    @property
    def outputs(self) -> int:
        return 1

    def tokenizer(self, folder: Path, max_tokens: int, template: str = "") -> Tokenizer:
        from tuneloop.models.layouts import ChoiceTokenizer

        return ChoiceTokenizer(folder, max_tokens)

    def aligned(self, labels: Sequence[Label], tokens: Tokens, inputs: Sequence[Input]) -> np.ndarray[Any, Any]:
        """The number of the question of each choice, and whether it is the right one, int64, (choices, 2)."""
        right = [choice == label for item, label in zip(inputs, labels, strict=True) for choice in item[1].split("\n")]
        return np.stack([tokens.owners, right], axis=1).astype(np.int64)  # type: ignore[arg-type]

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The cross-entropy of a question stands at its right choice, times its choices; 0 at the others."""
        import torch

        _, counts = torch.unique_consecutive(targets[:, 0], return_counts=True)
        parts = torch.split(logits[:, 0], counts.tolist())
        shares = torch.cat([part.log_softmax(dim=0) for part in parts])
        answer: Tensor = -shares * targets[:, 1] * counts.repeat_interleave(counts)
        return answer

    def answers(self, logits: FloatArray, tokens: Tokens, inputs: Sequence[Input]) -> FloatArray:
        parts = np.split(logits[:, 0].astype(np.float64), tokens.groups[1:-1])
        found = []
        for item, part in zip(inputs, parts, strict=True):
            shares = np.exp(part - np.logaddexp.reduce(part))
            found.append(tuple(zip(item[1].split("\n"), shares.tolist(), strict=True)))
        return as_scores(found)

    def decide(self, scores: FloatArray) -> list[Label]:
        return [max(found, key=lambda each: each[1])[0] for found in scores]

    def row_figures(self, labels: Sequence[Label], scores: FloatArray) -> dict[str, Any]:
        answers = self.decide(scores)
        return {"accuracy": np.array([float(one == other) for one, other in zip(labels, answers, strict=True)])}

    def predictions(self, scores: FloatArray, truncated: Sequence[bool] | None = None) -> list[Prediction]:
        cut = truncated if truncated is not None else [False] * len(scores)
        rows = zip(self.decide(scores), scores, cut, strict=True)
        return [Prediction(label, dict(found), bool(was_cut)) for label, found, was_cut in rows]

    def scores_of(self, answers: Sequence[Mapping[str, Any]], near: FloatArray) -> FloatArray:
        return as_scores(tuple(each["probabilities"].items()) for each in answers)

    def changes(self, scores: FloatArray, others: FloatArray) -> Any:
        return object_changes(scores, others)

    def sureness(self, labels: Sequence[Label], scores: FloatArray) -> Any:
        return np.array([max(sure for _, sure in found) for found in scores])


def _lines(cell: Any) -> list[str]:
    return [line for line in str(cell or "").splitlines() if line.strip()]


def _refuse_twins(choices: list[str]) -> None:
    if len(set(choices)) < len(choices):
        raise ValueError(t("a choice stands there twice"))


def _number(label: Any, choices: list[str]) -> int:
    """The number of the right choice: a number is one from 0, a text is a choice, else a number or a letter.

    Raises:
        ValueError: if the label names none.
    """
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(choices):
        return label
    plain = " ".join(str(label if label is not None else "").split())
    if plain in choices:
        return choices.index(plain)
    if plain.isdecimal() and int(plain) < len(choices):
        return int(plain)
    if len(plain) == 1 and 0 <= ord(plain.upper()) - ord("A") < len(choices):
        return ord(plain.upper()) - ord("A")
    raise ValueError(t("{label} is none of the choices", label=repr(label)[:60]))
