"""Words with a tag each, as a text with stretches, and back."""

from __future__ import annotations

from collections.abc import Sequence

from tuneloop.core.i18n import t
from tuneloop.data.examples import Span
from tuneloop.data.units import is_han

OUTSIDE, UNNAMED = "O", "entity"
FIRST, LAST, MIDDLE = ("B", "S", "U"), ("E", "S", "L", "U"), ("I", "M")

Places = list[tuple[int, int]]


def joined(words: Sequence[str]) -> tuple[str, Places]:
    """The words as a text, with a space between two unless one side is Chinese, and where each stands.

    Raises:
        ValueError: if a word is empty.
    """
    text, places = "", []
    for word in words:
        if not word.strip():
            raise ValueError(t("a word is empty"))
        if text and not (is_han(text[-1]) or is_han(word[0])):
            text += " "
        places.append((len(text), len(text) + len(word)))
        text += word
    return text, places


def spans_of_tags(tags: Sequence[str], places: Places) -> list[Span]:
    """The stretches that tags mean, in any of the forms IOB1, IOB2, IOE, BIOES, BILOU and BMES.

    A tag without a mark before its name, such as a part of speech, is a stretch of one word. Where all tags are marks
    alone, stretches have the name `entity`.
    """
    spans: list[Span] = []
    goes_on, bare = "", all(tag in (OUTSIDE, *FIRST, *LAST, *MIDDLE) for tag in tags)
    for tag, (start, end) in zip(tags, places, strict=True):
        mark, dash, name = tag[:1], tag[1:2], tag[2:]
        if bare and tag != OUTSIDE:
            mark, name = tag, UNNAMED
        elif dash not in ("-", "_") or mark not in (*FIRST, *LAST, *MIDDLE):
            mark, name = "S", tag
        if tag == OUTSIDE or not name:
            goes_on = ""
            continue
        if name == goes_on and mark not in FIRST:
            spans[-1] = spans[-1]._replace(end=end)
        else:
            spans.append(Span(start, end, name))
        goes_on = "" if mark in LAST else name
    return spans
