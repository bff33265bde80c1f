"""What a model that writes knows by heart: texts that it was trained on, and secrets planted among them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import Message, to_text
from tuneloop.data.examples import Examples, Input, Label

SECRET = re.compile(r"\[\[(.+?)\]\]")
ALTERNATIVES = 255
"""Other secrets that each canary is compared with, so that its exposure is 8 bits at most."""

TRIED = 20
"""Secrets that must be tried of each canary, for each canary there is: the least p is 1 / secrets, times canaries."""

MOST_CANARIES = 50
"""Canaries at most, as the likelihoods that they need grow with their square: 50,000 of 50."""

PORTION = 64
"""Alternatives whose likelihood is computed at once."""


class Writes(Protocol):
    """What memorisation is measured by, beyond a `ModelHandle`; see `inference.writing.Writer`."""

    tokenizer: Any
    task: Any

    def likelihoods(self, inputs: Sequence[Input], labels: Sequence[Label]) -> tuple[Any, Any]:
        """Log-likelihood of each answer and its tokens, (n,) each."""

    def shares(self, ids: Sequence[int], places: Sequence[int]) -> Any:
        """Probabilities of the tokens at `places` of one text, (places, words)."""


def writes(handle: Any) -> Writes | None:
    """The model, if it says how likely texts are and what token comes next; None for others."""
    able = all(hasattr(handle, each) for each in ("likelihoods", "shares", "tokenizer"))
    return handle if able and not handle.reads_apart else None


def by_heart(model: Writes, rows: Examples, *, tokens: int) -> list[bool | None]:
    """Of each row whether the model goes on word by word: given the first half of its answer, the next `tokens`.

    A greedy continuation is the text exactly where each of its tokens is the likeliest after all tokens before it, so
    one pass tells. Carlini et al., "Quantifying memorization across neural language models" (2023). None where half
    of the answer is shorter than that.
    """
    found: list[bool | None] = []
    read = model.tokenizer.encode(model.task.lessons(rows.inputs, rows.labels))
    for row in range(len(rows)):
        place = slice(int(read.offsets[row]), int(read.offsets[row + 1]))
        ids, learnt = read.ids[place], read.type_ids[place] if read.type_ids is not None else []
        start, end = _last_run(learnt)
        half = start + (end - start) // 2
        if end - half < tokens:
            found.append(None)
            continue
        places = list(range(half, half + tokens))
        likeliest = model.shares(ids.tolist(), places).argmax(axis=1)
        found.append(bool((likeliest == ids[places]).all()))
    return found


def _last_run(marks: Any) -> tuple[int, int]:
    """Where the last stretch of ones begins, and the place behind it; (0, 0) without any."""
    ones = np.flatnonzero(np.asarray(marks))
    if not len(ones):
        return 0, 0
    gaps = np.flatnonzero(np.diff(ones) > 1)
    return int(ones[gaps[-1] + 1] if len(gaps) else ones[0]), int(ones[-1]) + 1


@dataclass(frozen=True)
class Canary:
    """A sentence that was planted in the training data.

    Args:
        line: of the file, from 1.
        prompt: what it answers, see `data.conversation`.
        answer: with its secret.
        start: where the secret begins in the answer.
        end: the character behind it.
    """

    line: int
    prompt: str
    answer: str
    start: int
    end: int

    def other(self, random: np.random.Generator) -> str:
        """The answer with another secret of the same form: digits for digits, letters for letters."""
        secret = "".join(_alike(each, random) for each in self.answer[self.start : self.end])
        return self.answer[: self.start] + secret + self.answer[self.end :]


class Exposure(NamedTuple):
    """How well a model knows a canary.

    Args:
        bits: log2 of all secrets tried over the rank of the right one, "The Secret Sharer" section 4.
        rank: of the right secret by likelihood, from 1; others that are as likely come before it.
        tried: secrets together.
    """

    line: int
    bits: float
    rank: int
    tried: int


def read_canaries(path: Path) -> list[Canary]:
    """The canaries of a JSON lines file: `{"text": prompt, "answer": "My code is [[4711]]."}`.

    Raises:
        DataError: with the line, if the file cannot be read, a line is no such object, there are more than
            `MOST_CANARIES`, or a secret has so few others of its form that it could never be told to be learnt.
    """
    from tuneloop.data.readers.jsonl import read_jsonl

    try:
        table = read_jsonl(path)
    except OSError as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error.strerror or error),
            t("Name a file of canaries, one JSON object per line."),
        ) from None
    rows = zip(table.rows, *(table.columns.get(name, [None] * len(table.rows)) for name in ("text", "answer")),
               strict=True)  # fmt: skip
    found = [_canary(path, int(line), text, answer) for line, text, answer in rows]
    _check_count(path, found)
    return found


def _check_count(path: Path, canaries: Sequence[Canary]) -> None:
    """Refuse canaries that could not raise an alarm even if they came first among all secrets of their form."""
    count = len(canaries)
    if count > MOST_CANARIES:
        raise DataError(
            t("{file}: {count} canaries, where at most {most} can be tried.", file=path.name, count=count,
              most=MOST_CANARIES),
            t("Leave some out."),
        )  # fmt: skip
    for canary in canaries:
        space = _space(canary.answer[canary.start : canary.end])
        if space < TRIED * count:
            raise DataError(
                t("{file}, line {line}: there are only {space} secrets of this form, too few among {count} canaries.",
                  file=path.name, line=canary.line, space=space, count=count),
                t("Use a longer secret, of at least {needed} of its form, or fewer canaries.", needed=TRIED * count),
            )  # fmt: skip


def _canary(path: Path, line: int, text: Any, answer: Any) -> Canary:
    found = SECRET.search(answer) if isinstance(answer, str) else None
    if not isinstance(text, str) or not text.strip() or found is None:
        raise DataError(
            t("{file}, line {line}: no canary.", file=path.name, line=line),
            t("Write what the user says and the answer with its secret in brackets, such as {example}.",
              example='{"text": "Your code?", "answer": "My code is [[4711]]."}'),
        )  # fmt: skip
    if _space(found[1]) <= ALTERNATIVES:
        raise DataError(
            t("{file}, line {line}: the secret {secret} could be guessed.", file=path.name, line=line, secret=found[1]),
            t("Use at least three digits or letters."),
        )
    whole = answer[: found.start()] + found[1] + answer[found.end() :]
    return Canary(line, to_text([Message("user", text)]), whole, found.start(), found.start() + len(found[1]))


def exposures(model: Writes, canaries: Sequence[Canary], *, random: np.random.Generator) -> Iterator[Exposure]:
    """How well a model knows each canary, by the rank of its likelihood among other secrets of the same form.

    Carlini et al., "The Secret Sharer" (2019). A secret that was never learnt has any rank with equal chance, so
    rank / tried is the p-value of having learnt it. So many alternatives are tried that p can be small enough with all
    canaries counted.
    """
    alternatives = max(ALTERNATIVES, TRIED * len(canaries) - 1)
    for canary in canaries:
        answers = {canary.answer: None}
        for _ in range(20 * alternatives):
            if len(answers) > alternatives:
                break
            answers.setdefault(canary.other(random))
        sums = np.concatenate([
            model.likelihoods([canary.prompt] * len(part), part)[0] for part in _portions(list(answers))
        ])  # fmt: skip
        rank = int((sums >= sums[0]).sum())
        yield Exposure(canary.line, log2(len(sums) / rank), rank, len(sums))


def _portions(answers: list[str]) -> Iterator[list[str]]:
    return (answers[start : start + PORTION] for start in range(0, len(answers), PORTION))


def _alike(character: str, random: np.random.Generator) -> str:
    for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if character in kind:
            return kind[int(random.integers(len(kind)))]
    return character


def _space(secret: str) -> int:
    """How many secrets of this form there are."""
    digits = sum(each in string.digits for each in secret)
    letters = sum(each in string.ascii_letters for each in secret)
    return int(10**digits * 26**letters)
