"""A statement made its opposite by one word."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.chinese_words import chinese_cutter
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
DEGREES = frozenset(["非常", "特别", "十分", "真的", "很", "挺", "太", "超"])
"""Words before an adjective, in whose place 不 makes it its opposite."""
JOINED_DEGREE = re.compile(
    r"(?:很(?!多)|太(?=[大小好贵差吵旧脏远近慢快冷热少多棒美]))([\u4e00-\u9fff])(?:了)?|十分(满意)"
)
"""A degree that jieba leaves on its adjective; 太阳 has none."""
VERBS = frozenset(["有", "是", "会", "能", "要", "想", "喜欢", "满意", "推荐", "值得", "建议", "愿意", "适合"])
JOINED_VERB = re.compile(r"([这那它他她我你您])(是|会|能|要|想)")
HAN = re.compile(r"[\u4e00-\u9fff]")


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
    """Whole words alone are negated: 所有 has no 有 and 机会 no 会. Without jieba nothing is."""
    try:
        words = list(chinese_cutter().cut(text, HMM=False))
    except MissingExtraError:
        return text
    for change in (_without_degree, _with_negated_verb):
        for at in range(len(words)):
            changed = change(words, at)
            if changed:
                return "".join(changed)
    return text


def _without_degree(words: list[str], at: int) -> list[str] | None:
    """很好 as 不好, 太小了 as 不小, 很有 as 没有."""
    word, rest = words[at], words[at + 1 :]
    joined = JOINED_DEGREE.fullmatch(word)
    if joined:
        new = "不" + (joined[1] or joined[2])
    elif word in DEGREES and rest and HAN.match(rest[0]) and rest[0] not in ("的", "多"):
        new = ("没" if rest[0] == "有" else "不") + rest.pop(0)
    else:
        return None
    if word.startswith("太") and rest and rest[0] == "了":
        rest.pop(0)
    return [*words[:at], new, *rest]


def _with_negated_verb(words: list[str], at: int) -> list[str] | None:
    """是 as 不是, 有 as 没有; a verb behind 的 is a noun there."""
    word, before, rest = words[at], words[:at], words[at + 1 :]
    joined = JOINED_VERB.fullmatch(word)
    if joined:
        return [*before, f"{joined[1]}不{joined[2]}", *rest]
    if word not in VERBS or (word != "是" and before and before[-1] == "的"):
        return None
    return [*before, ("没" if word == "有" else "不") + word, *rest]
