"""Texts to pretrain on: cleaned, each once, and none of those that a model will be measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuneloop.core.config import Columns, RunConfig
from tuneloop.core.errors import DataError
from tuneloop.core.hashing import hash_texts
from tuneloop.core.i18n import t
from tuneloop.data.clean import clean_texts
from tuneloop.data.duplicates import DuplicateReport, remove_leaks
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import read_unlabelled
from tuneloop.data.near import content_key


class Splits(Protocol):
    """What is needed of a data snapshot."""

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test."""


@dataclass(frozen=True)
class PretrainingTexts:
    """Texts without labels.

    Args:
        train: to learn from.
        dev: held out, to judge the guesses on.
        left_out: how many were left out because they nearly equal a text of the dev or test split.
    """

    train: list[str]
    dev: list[str]
    left_out: int

    @property
    def hash(self) -> str:
        """SHA-256 of all texts and of which are held out."""
        return hash_texts([*self.train, "", *self.dev])


def pretraining_texts(config: RunConfig, snapshot: Splits | None, *, base: Path) -> PretrainingTexts:
    """The texts that `pretraining` names, split by a hash of seed and text.

    Args:
        snapshot: the labelled data; None where neither its texts are read nor its test split is kept unseen.
        base: what a relative path starts from.

    Raises:
        DataError: if the file cannot be read, has no such column, or too few texts.
    """
    settings = config.pretraining
    if settings.texts is None:
        given: Sequence[str] = _texts_of(snapshot, "train") if snapshot else []
    else:
        columns = Columns(text=settings.column)  # type: ignore[call-arg]
        data = config.data.model_copy(update={"columns": columns})
        rows = read_unlabelled(settings.texts, data, base=base, setting="pretraining.column")
        given, _ = clean_texts(rows.texts, config.data.clean)
    texts = list(dict.fromkeys(text for text in given if text.strip()))
    known = len(texts)
    if snapshot and settings.keep_test_unseen:
        texts = _without_test(texts, snapshot, config.data.clean.near_threshold)
    if len(texts) < 2:
        raise DataError(
            t("{source}: there are fewer than two different texts to pretrain on.", source=settings.texts or "train"),
            t("Give more texts in pretraining.texts; those that are in the dev or test split do not count."),
        )
    # an order that depends on neither the file's nor on a text that is added
    texts.sort(key=lambda text: content_key(text, seed=config.seed))
    held_out = max(1, min(len(texts) - 1, round(settings.held_out * len(texts))))
    return PretrainingTexts(texts[held_out:], texts[:held_out], known - len(texts))


def _texts_of(snapshot: Splits, name: str) -> list[str]:
    split = snapshot.split(name)
    return [*split.texts, *(split.pairs or [])]


def _without_test(texts: list[str], snapshot: Splits, threshold: float) -> list[str]:
    unseen = _texts_of(snapshot, "dev") + _texts_of(snapshot, "test")
    splits = {"train": _examples(texts), "test": _examples(unseen)}
    return list(remove_leaks(splits, threshold, DuplicateReport())["train"].texts)


def _examples(texts: list[str]) -> Examples:
    return Examples([str(row) for row in range(len(texts))], texts)
