"""Words behind a text that have nothing to do with it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Perturbation, Script, script_of

ENGLISH = ("Sent from my phone.", "(edited)", "Posted at 10:42.", "That is all for now.", "https://example.com/4f7a")
CHINESE = ("发自我的手机。", "（已编辑）", "发布于10:42。", "以上。", "https://example.com/4f7a")


class Suffix(Perturbation):
    """An irrelevant suffix: a signature, a time, an address."""

    name: ClassVar[str] = "suffix"
    script: ClassVar[Script] = "any"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text with a suffix."""
        if script_of(text) == "zh":
            return text.rstrip() + CHINESE[random.integers(len(CHINESE))]
        return f"{text.rstrip()} {ENGLISH[random.integers(len(ENGLISH))]}"

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("an irrelevant suffix")
