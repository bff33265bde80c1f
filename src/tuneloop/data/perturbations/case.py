"""Small and capital letters."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script


class LowerCase(Perturbation):
    """All letters small."""

    name: ClassVar[str] = "lower_case"
    script: ClassVar[Script] = "en"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text in small letters."""
        return text.lower()

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("all letters small")


class UpperCase(Perturbation):
    """All letters capital."""

    name: ClassVar[str] = "upper_case"
    script: ClassVar[Script] = "en"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text in capital letters."""
        return text.upper()

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("all letters capital")
