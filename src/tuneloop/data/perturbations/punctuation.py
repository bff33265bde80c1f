"""Punctuation left out, or one mark more at the end."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script, script_of

MARKS = re.compile(
    r"(?P<kept>https?://\S+|\w+[.,:'’/_-]\w+|[:;=8][-o*']?[)\](\[DPp/\\|3]|<3)"  # addresses, 3.5, :-)
    r"|[.,!?;:\"“”‘’()…，。！？；：、（）《》「」—~～]"
)
ENDS = re.compile(r"[.!?…。！？]+\s*$")


class NoPunctuation(Perturbation):
    """All punctuation left out, but for addresses, numbers and emoticons."""

    name: ClassVar[str] = "no_punctuation"
    script: ClassVar[Script] = "any"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text without marks."""
        return MARKS.sub(lambda place: place["kept"] or "", text)

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("no punctuation")


class EndMark(Perturbation):
    """The full stop at the end left out, or one added: the test of punctuation in Ribeiro et al., CheckList (2020)."""

    name: ClassVar[str] = "end_mark"
    script: ClassVar[Script] = "any"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text with another end."""
        if ENDS.search(text):
            return ENDS.sub("", text)
        return text.rstrip() + ("。" if script_of(text) == "zh" else ".")

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("the mark at the end left out or added")
