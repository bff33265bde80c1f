"""Chinese characters that look like another, as handwriting and scans leave them."""

from __future__ import annotations

import re
from typing import ClassVar

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import CHARACTER, Script, UnitPerturbation, word_data


class Shapes(UnitPerturbation):
    """A character of nearly the same shape; the groups are in shapes.json."""

    name: ClassVar[str] = "shapes"
    script: ClassVar[Script] = "zh"
    unit: ClassVar[re.Pattern[str]] = CHARACTER

    def variants(self, unit: str) -> list[str]:
        """The other characters of its groups."""
        return [other for group in word_data("shapes") if unit in group for other in group if other != unit]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("characters of nearly the same shape")
