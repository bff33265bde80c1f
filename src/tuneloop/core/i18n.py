"""English and Chinese for everything a person reads.

English sentences are the keys; `locale/zh/*.json` (one file per package) hold the Chinese.
A test reads every `t("...")` of the sources and fails on a sentence without its translation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "zh")
_chosen: ContextVar[str | None] = ContextVar("tuneloop_language", default=None)
_asked: list[Callable[[], str | None]] = []


def language() -> str:
    """The language in force: that of the page at work, else `use_language`, else TUNELOOP_LANG, LC_ALL, ..., LANG."""
    chosen = next(filter(None, (ask() for ask in _asked)), None) or _chosen.get()
    if chosen:
        return chosen
    for variable in ("TUNELOOP_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def use_language(code: str | None) -> None:
    """Choose the language for this thread or task; None follows the environment again.

    Raises:
        ValueError: if `code` is not one of `LANGUAGES`.
    """
    if code is not None and code not in LANGUAGES:
        raise ValueError(f"language must be one of {LANGUAGES}, not {code!r}")
    _chosen.set(code)


def ask_language(of: Callable[[], str | None]) -> None:
    """Ask `of` first from now on: a studio serves people of both languages from one thread. None means: ask on."""
    if of not in _asked:
        _asked.append(of)


def t(sentence: str, /, **values: Any) -> str:
    """`sentence` in the language in force, with `{names}` filled in."""
    return translate(sentence, language(), **values)


def translate(sentence: str, code: str, /, **values: Any) -> str:
    """`sentence` in the language `code`, with `{names}` filled in."""
    template = _chinese().get(sentence, sentence) if code == "zh" else sentence
    return template.format(**values) if values else template


@cache
def _chinese() -> dict[str, str]:
    catalogue: dict[str, str] = {}
    for file in resources.files("tuneloop.core").joinpath("locale", "zh").iterdir():
        if file.name.endswith(".json"):
            catalogue.update(json.loads(file.read_text(encoding="utf-8")))
    return catalogue
