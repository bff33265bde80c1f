"""A text as a game of its units: what the model answers when some of them are absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.explain.base import ExplainerOptions
from tuneloop.explain.units import Part, Unit
from tuneloop.media.items import is_item
from tuneloop.media.layout import laid_out, left_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.explain.base import Question
    from tuneloop.tasks.base import ModelHandle

    BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]

Absent = Literal["remove", "mask"]


class PerturbingOptions(ExplainerOptions):
    """Options of explainers that ask for texts in which something is absent."""

    absent: Absent = Field(
        "remove",
        description="What becomes of an absent unit: removed, which every model can read and which a tuned classifier "
        "has seen (shorter texts), or replaced by the tokenizer's mask, which keeps the places of the others.",
    )


class Game:
    """The value of every set of units: the explained number for the text in which only they stand.

    A set is asked for once, and so is a text that two sets leave.

    Args:
        model: what answers.
        question: the input, its units and what is explained.
        absent: whether an absent unit is removed, or replaced by the tokenizer's mask.

    Raises:
        ModelError: if masks are wanted and the model's tokenizer has none.
    """

    def __init__(self, model: ModelHandle, question: Question, absent: Absent = "remove") -> None:
        self.size = len(question.units)
        self.asked = 0
        self._model, self._question = model, question
        self._mask = _mask_of(model) if absent == "mask" else ""
        self._known: dict[bytes, float] = {}

    @property
    def absent(self) -> str:
        """What stands in place of an absent unit, as `Explanation.absent` says it."""
        return self._mask or "removed"

    def values(self, present: BoolArray) -> FloatArray:
        """The value of each set, (sets,), from which units are present in it, (sets, units)."""
        keys = [row.tobytes() for row in np.packbits(present, axis=1)]
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            items = [self.item(present[row]) for row in new.values()]
            distinct = list(dict.fromkeys(items))
            self.asked += len(distinct)
            found = self._question.target.of(self._model.scores(distinct))
            by_item = dict(zip(distinct, found.tolist(), strict=True))
            self._known |= {key: by_item[item] for key, item in zip(new, items, strict=True)}
        return np.array([self._known[key] for key in keys], dtype=np.float64)

    def ends(self) -> tuple[float, float]:
        """The values of no unit and of all units."""
        none, every = self.values(np.array([[False] * self.size, [True] * self.size]))
        return float(none), float(every)

    def item(self, present: Sequence[bool] | BoolArray) -> Input:
        """The input in which the other units are absent."""
        item, units = self._question.item, self._question.units
        if isinstance(item, str):
            return self._text(item, units, present, "text")
        return self._text(item[0], units, present, "text"), self._text(item[1], units, present, "pair")

    def _text(self, text: str, units: Sequence[Unit], present: Sequence[bool] | BoolArray, part: Part) -> str:
        """What is left of one text; between two units stands what stood there, a space where one was lost."""
        if is_item(text):
            return self._item(text, units, present, part)
        pieces: list[str] = []
        gap, end = "", 0
        for unit, stays in zip(units, present, strict=True):
            if unit.part != part:
                continue
            gap = text[end : unit.start] or gap
            end = unit.end
            if stays or self._mask:
                pieces += [gap if pieces else "", unit.text if stays else self._mask]
                gap = ""
        return "".join(pieces)

    def _item(self, given: str, units: Sequence[Unit], present: Sequence[bool] | BoolArray, part: Part) -> str:
        """What is left of an item: words of its text as in any text, and the files and values that are present."""
        text = laid_out(given).text
        mine = [(unit, stays) for unit, stays in zip(units, present, strict=True) if unit.part == part]
        words = [(replace(unit, end=min(unit.end, len(text))), stays) for unit, stays in mine if unit.start < len(text)]
        cut = [replace(unit, text=text[unit.start : unit.end]) for unit, _ in words]
        kept = [(unit.start, unit.end) for unit, stays in mine if stays]
        return left_of(given, self._text(text, cut, [stays for _, stays in words], part), kept)


def _mask_of(model: ModelHandle) -> str:
    from tuneloop.inference.inside import mask_token

    mask = mask_token(model)
    if mask is None:
        raise ModelError(
            t("The model {name} has no mask token that a text could hold.", name=model.name),
            t("Let absent words be removed."),
        )
    return mask
