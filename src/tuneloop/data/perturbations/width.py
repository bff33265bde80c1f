"""Letters, numbers and marks in the width of Chinese characters, or half of it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script

FULL = {half: half + 0xFEE0 for half in range(0x21, 0x7F)}
HALF = {full: half for half, full in FULL.items()}


class Width(Perturbation):
    """Half width made full, or full width made half."""

    name: ClassVar[str] = "width"
    script: ClassVar[Script] = "zh"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text in full or in half width, drawn where both change it."""
        changed = [other for other in (text.translate(FULL), text.translate(HALF)) if other != text]
        return changed[random.integers(len(changed))] if changed else text

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("full and half width")
