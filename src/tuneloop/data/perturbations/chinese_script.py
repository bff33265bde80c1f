"""Simplified and traditional characters, by OpenCC."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import numpy as np

from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script


class Traditional(Perturbation):
    """Simplified characters made traditional."""

    name: ClassVar[str] = "traditional"
    script: ClassVar[Script] = "zh"
    needs: ClassVar[str] = "OpenCC"
    table: ClassVar[str] = "s2t"

    def __init__(self) -> None:
        self.converter = _converter(self.table)

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text in the other characters."""
        return str(self.converter.convert(text))

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("traditional characters")


class Simplified(Traditional):
    """Traditional characters made simplified."""

    name: ClassVar[str] = "simplified"
    table: ClassVar[str] = "t2s"

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("simplified characters")


@cache
def _converter(table: str) -> Any:
    try:
        from opencc import OpenCC
    except ImportError:
        raise MissingExtraError("OpenCC", "audit") from None
    return OpenCC(table)
