"""A picture that says nothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script

NEUTRAL = ("📌", "🕒", "📎", "🔵", "📅", "🗂️", "💬")
"""Pictures of things, none of a face or a feeling."""


class Emoji(Perturbation):
    """A neutral emoji before or behind the text."""

    name: ClassVar[str] = "emoji"
    script: ClassVar[Script] = "any"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text with an emoji."""
        sign = NEUTRAL[random.integers(len(NEUTRAL))]
        return f"{text} {sign}" if random.random() < 0.5 else f"{sign} {text}"

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("a neutral emoji")
