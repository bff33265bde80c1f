"""A text as the words that search compares: lower-cased, English endings taken off, Chinese cut into words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from tuneloop.data.chinese_words import chinese_cutter as chinese_cutter
from tuneloop.data.units import HAN

RUN = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")
CHINESE = re.compile(f"[{HAN}]")
VOWEL = re.compile("[aeiouy]")

ENGLISH_FUNCTION = (
    "a about after all also am an and any are as at be because been before being between both but by can could did do "
    "does doing down for from had has have having he her here him his how i if in into is it its just may me might my "
    "no not of on one only or other our out over own please shall she should so some such than that the their them "
    "then there these they this those through to too under up us very was we were what when where which while who "
    "whom whose why will with would you your s t d ll re ve m let get got tell"
)
CHINESE_FUNCTION = (
    "的 了 着 过 吗 呢 吧 啊 呀 嘛 么 地 得 之 其 是 有 在 和 与 或 及 而 且 但 也 都 就 才 还 又 很 太 把 被 "
    "给 让 对 从 到 向 以 为 于 因为 所以 如果 虽然 但是 这 那 哪 这个 那个 哪个 哪些 哪里 这些 那些 什么 怎么 怎样 "
    "怎么样 如何 为什么 为何 多少 几 谁 我 你 您 他 她 它 我们 你们 他们 它们 自己 一个 一种 可以 能 能够 会 要 想 "
    "需要 应该 请 请问 是否 有没有 没有 不 没 里 上 下 中 个 种 时 时候 会不会 能不能 可不可以 是不是"
)


@lru_cache(maxsize=1)
def function_words() -> frozenset[str]:
    """Words that say nothing of what a question is about."""
    return frozenset([*map(_stem, ENGLISH_FUNCTION.split()), *CHINESE_FUNCTION.split()])


def words(text: str) -> list[str]:
    """The words of a text, in order; in Chinese also the shorter words inside a longer one.

    Raises:
        MissingExtraError: if there is Chinese in it and jieba is not installed.
    """
    return list(_words(unicodedata.normalize("NFKC", text).casefold()))


def content_words(text: str) -> list[str]:
    """The distinct words that say what a text is about; all distinct words if there are no others."""
    distinct = list(dict.fromkeys(words(text)))
    return [word for word in distinct if word not in function_words()] or distinct


def pairs(found: Iterable[str]) -> set[tuple[str, str]]:
    """Words that follow each other."""
    return set(pairwise(found))


def _words(text: str) -> Iterator[str]:
    for run in RUN.findall(text):
        if CHINESE.match(run):
            yield from chinese_cutter().cut_for_search(run)
        else:
            yield _stem(run)


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """An English word without -s, -ed and -ing: step 1 of Porter, "An algorithm for suffix stripping" (1980).

    A final e goes too, so that `release` and `releasing` meet.
    """
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and VOWEL.search(stem):
            word = stem[:-1] if stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
