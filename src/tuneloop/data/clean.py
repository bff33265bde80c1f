"""Texts mended before anything is learnt: broken encodings, Unicode form, control characters."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence

from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.examples import Input, Span
from tuneloop.data.mapped import MappedTexts, mapped
from tuneloop.media.items import is_item, with_text

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
"""Control characters except tab and line breaks, and stray byte order marks."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Halves of characters: JSON can hold them, UTF-8 and tokenizers cannot."""


def clean_texts(texts: Iterable[str], config: CleanConfig) -> tuple[MappedTexts, Counter[str]]:
    """The texts, mended as the configuration says, and how many each step changed.

    Returns:
        The texts in order, and a counter with `surrogates`, `encoding`, `control` and `unicode`.
    """
    counts: Counter[str] = Counter()
    return mapped(clean_text(text, config, counts) for text in texts), counts


def clean_text(text: str, config: CleanConfig, counts: Counter[str]) -> str:
    """One text, mended; `counts` notes which steps changed it."""
    if is_item(text):
        return with_text(text, lambda inside: clean_text(inside, config, counts))
    plain = text.isascii()
    if not plain and SURROGATE.search(text):
        text = SURROGATE.sub("\ufffd", text)
        counts["surrogates"] += 1
    if config.fix_encoding and not plain:
        fixed = _fix_encoding(text)
        counts["encoding"] += fixed != text
        text = fixed
    if config.control and CONTROL.search(text):
        text = CONTROL.sub("", text)
        counts["control"] += 1
    if config.unicode != "none" and not plain and not unicodedata.is_normalized(config.unicode, text):
        text = unicodedata.normalize(config.unicode, text)
        counts["unicode"] += 1
    return text


def clean_inputs(inputs: Sequence[Input], config: CleanConfig) -> list[Input]:
    """What a model was taught with is cleaned, so what it is asked is cleaned alike: the inputs, mended, in order."""
    counts: Counter[str] = Counter()
    return [
        clean_text(item, config, counts)
        if isinstance(item, str)
        else (clean_text(item[0], config, counts), clean_text(item[1], config, counts))
        for item in inputs
    ]


def moved(span: Span, text: str, cleaned: str, config: CleanConfig) -> Span:
    """Where a stretch of a text stands once the text is mended; a label that quotes the text is mended too.

    Raises:
        ValueError: if it cannot be told.
    """
    counts: Counter[str] = Counter()
    inside = clean_text(text[span.start : span.end], config, counts)
    start = len(clean_text(text[: span.start], config, counts))
    places = [match.start() for match in re.finditer(re.escape(inside), cleaned)] if inside else []
    if not places:
        raise ValueError(t("mending the text has changed what stands at {span}", span=f"{span.start}-{span.end}"))
    nearest = min(places, key=lambda place: abs(place - start))
    label = inside if span.label == text[span.start : span.end] else span.label
    return Span(nearest, nearest + len(inside), label)


def place_back(span: Span, text: str, config: CleanConfig) -> Span:
    """Where a stretch of the mended text stands in the text as it was given."""
    counts: Counter[str] = Counter()

    def size(place: int) -> int:
        return len(clean_text(text[:place], config, counts))

    places = range(len(text) + 1)
    start, end = bisect_right(places, span.start, key=size) - 1, bisect_left(places, span.end, key=size)
    return span._replace(start=start, end=end)


def _fix_encoding(text: str) -> str:
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    # fix_encoding looks for the same signs first; asking here saves its preparations
    return fix_encoding(text) if is_bad(text) else text
