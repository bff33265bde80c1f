"""Answers as OpenAI's interface has them: whole ones, and the pieces of a stream."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuneloop.inference.continuous import Draft, Piece
from tuneloop.inference.decoding import Choice

DONE = b"data: [DONE]\n\n"
"""The end of a stream."""


@dataclass
class Form:
    """How the answers to one request are written down.

    Args:
        chat: whether they answer a conversation; else they continue texts.
        release: what writes them.
        drafts: the answers, in order.
        text_of: the text of token ids.
        per_prompt: how many of them follow the same prompt, one after the other.
        counts: whether each piece of a stream has the place for a count of tokens.
    """

    chat: bool
    release: str
    drafts: Sequence[Draft]
    text_of: Callable[[Sequence[int]], str]
    per_prompt: int = 1
    counts: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, pieces: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        """The answer at once, from the pieces of each draft."""
        choices = []
        for number, parts in enumerate(pieces):
            text, told = "".join(part.text for part in parts), [choice for part in parts for choice in part.choices]
            said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
            choices.append(self._choice(number, said, told, parts[-1].finish) | _because(parts[-1]))
        return self._frame("chat.completion" if self.chat else "text_completion", choices) | {"usage": self.usage()}

    def beginning(self, number: int) -> bytes:
        """What a stream says before the first text of an answer: who speaks."""
        if not self.chat:
            return b""
        return self._event([self._choice(number, {"delta": {"role": "assistant", "content": ""}}, [], "")])

    def piece(self, number: int, piece: Piece) -> bytes:
        """What a stream says of a piece: its text, and in the end why nothing follows."""
        events = b""
        told = piece.choices if self.drafts[number].decoding.likeliest is not None else ()
        if piece.text or told:
            said = {"delta": {"content": piece.text}} if self.chat else {"text": piece.text}
            events += self._event([self._choice(number, said, told, "")])
        if piece.finish:
            last: dict[str, Any] = {"delta": {}} if self.chat else {"text": ""}
            events += self._event([self._choice(number, last, [], piece.finish) | _because(piece)])
        return events

    def count(self) -> bytes:
        """The last piece of a stream whose client wants to know the tokens."""
        return self._event([], usage=self.usage())

    def usage(self) -> dict[str, Any]:
        """Tokens of the prompts, each counted once, and of the answers."""
        prompts = self.drafts[:: self.per_prompt]
        prompt = sum(len(draft.prompt) for draft in prompts)
        written = sum(draft.chosen_tokens for draft in self.drafts)
        known = sum(draft.reused_tokens for draft in prompts)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": known},
        }

    def _choice(self, number: int, said: dict[str, Any], told: Sequence[Choice], finish: str) -> dict[str, Any]:
        logprobs = {"content": [self._token(choice) for choice in told]} if self._tells(number) else None
        return {"index": number, **said, "logprobs": logprobs, "finish_reason": finish or None}

    def _tells(self, number: int) -> bool:
        return self.drafts[number].decoding.likeliest is not None

    def _token(self, choice: Choice) -> dict[str, Any]:
        best = [self._named(number, share) for number, share in choice.likeliest]
        return {**self._named(choice.token_id, choice.log_probability or 0.0), "top_logprobs": best}

    def _named(self, token_id: int, log_probability: float) -> dict[str, Any]:
        text = self.text_of([token_id])
        whole = "\ufffd" not in text
        return {"token": text, "logprob": log_probability, "bytes": list(text.encode()) if whole else None}

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        frame = self._frame("chat.completion.chunk" if self.chat else "text_completion", choices)
        return event(frame | ({"usage": usage} if self.counts else {}))

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        prefix = "chatcmpl" if self.chat else "cmpl"
        return {
            "id": f"{prefix}-{self.id}", "object": kind, "created": self.created, "model": self.release,
            "choices": choices,
        }  # fmt: skip


def _because(piece: Piece) -> dict[str, Any]:
    """The rules that have changed an answer, where there are such: beside what OpenAI's interface has."""
    return {"because": list(piece.because)} if piece.because else {}


def event(plain: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + encode(plain) + b"\n\n"


def encode(plain: dict[str, Any]) -> bytes:
    """JSON as UTF-8."""
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
