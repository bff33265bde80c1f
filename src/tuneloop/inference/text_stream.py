"""The text of an answer while its tokens come one by one: whole characters only, and nothing of what stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

INCOMPLETE = "\ufffd"
"""What decoding shows for the first bytes of a character whose last ones are in the next token."""


class TextStream:
    """Turns tokens into pieces of text that, joined, are the text of all tokens.

    Args:
        text_of: the text of token ids.
        stop: texts before which the answer ends.
    """

    def __init__(self, text_of: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self.stopped = False
        self._text_of = text_of
        self._stop = [text for text in stop if text]
        self._ids: list[int] = []
        # tokens are decoded behind those of the last piece: what a token says may hang on the one before it
        self._from = self._given = 0
        self._held = ""

    def push(self, token_id: int) -> str:
        """What can be said now that this token is known."""
        self._ids.append(token_id)
        return self._release(self._news(complete=True))

    def end(self) -> str:
        """What was held back, when no more tokens come."""
        if self.stopped:
            return ""
        text = self._release(self._news(complete=False))
        if not self.stopped:
            text, self._held = text + self._held, ""
        return text

    def _news(self, *, complete: bool) -> str:
        """The text of the tokens since the last piece; empty while a character is incomplete."""
        before = self._text_of(self._ids[self._from : self._given])
        whole = self._text_of(self._ids[self._from :])
        if len(whole) <= len(before) or (complete and whole.endswith(INCOMPLETE)):
            return ""
        self._from, self._given = self._given, len(self._ids)
        return whole[len(before) :]

    def _release(self, text: str) -> str:
        """What of the held text and this one may be said: up to a stop, or to what might become one."""
        text = self._held + text
        found = [place for place in (text.find(stop) for stop in self._stop) if place >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_beginning(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _beginning(text: str, stop: str) -> int:
    """How many characters at the end of a text are the beginning of a stop."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
