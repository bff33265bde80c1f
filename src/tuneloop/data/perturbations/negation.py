"""A statement made its opposite by one word."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Effect, Perturbation, Script, script_of

LONGEST = {"en": 25, "zh": 40}
"""Words or characters of a text beyond which one negated clause says little of the whole."""
NEGATED = re.compile(
    r"\b(?:not|no|never|nothing|nobody|none|neither|nor|without|hardly|cannot|but)\b|n['’]t\b|[不没無无未莫但]|(?<!特)别|非(?!常)",
    re.IGNORECASE,
)
VERB = re.compile(
    r"\b(?P<who>I|we|you|they)\s+(?P<how>really |just |also |do )?"
    r"(?P<verb>love|like|hate|enjoy|want|need|recommend|trust|agree|understand|believe)\b",
    re.IGNORECASE,
)
AUXILIARY = re.compile(r"\b(?:is|are|was|were|am|will|would|should|could)\b", re.IGNORECASE)
CHINESE = (
    (re.compile(r"(?:非常|特别|十分|真的|很|挺|太|超)(?=[\u4e00-\u9fff])"), "不"),
    (re.compile(r"(?=有)"), "没"),
    (re.compile(r"(?=是|会|能|喜欢|满意|推荐|值得|建议|愿意|适合|想|要)"), "不"),
)


class Negation(Perturbation):
    """A first clause negated, in short statements that have no negation yet."""

    name: ClassVar[str] = "negation"
    script: ClassVar[Script] = "any"
    effect: ClassVar[Effect] = "turns"

    def perturb(self, text: str, random: np.random.Generator) -> str:
        """The text negated; as it is where that could not be done in a simple way."""
        script = script_of(text)
        size = len(text) if script == "zh" else len(text.split())
        if not script or size > LONGEST[script] or NEGATED.search(text) or "?" in text or "？" in text:
            return text
        return _chinese(text) if script == "zh" else _english(text)

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("negation")


def _english(text: str) -> str:
    verb, auxiliary = VERB.search(text), AUXILIARY.search(text)
    if verb and not (auxiliary and auxiliary.start() < verb.start()):
        how = (verb["how"] or "").replace("do ", "")
        return f"{text[: verb.start()]}{verb['who']} do not {how}{verb['verb']}{text[verb.end() :]}"
    return f"{text[: auxiliary.end()]} not{text[auxiliary.end() :]}" if auxiliary else text


def _chinese(text: str) -> str:
    for pattern, word in CHINESE:
        changed = pattern.sub(word, text, count=1)
        if changed != text:
            return changed
    return text
