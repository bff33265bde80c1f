"""Labels made by functions: each says a class of a text or nothing, a model of the functions weighs what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[[str], str | None])

MARK = "tuneloop_labelling_function"
"""The attribute of a function that a configuration may name."""


def labelling_function(function: Function) -> Function:
    """Mark a function of your own: it takes a text and gives a class, or None where it has nothing to say.

    from tuneloop.weak import labelling_function

    @labelling_function
    def shouting(text):
        return "negative" if text.isupper() else None
    """
    setattr(function, MARK, True)
    return function
