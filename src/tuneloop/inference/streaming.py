"""One answer of a model that writes, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.continuous import Draft, Limits, TooLong

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.writing import Writer


def stream(writer: Writer, prompt: Input) -> Iterator[str]:
    """The answer to a prompt as it was evaluated, in pieces that, joined, are its text.

    It comes at once where rules have the last word, as a word that was told cannot be taken back, and of models that
    cannot write token by token; where the task draws by chance, each call draws anew.

    Raises:
        ModelError: if the prompt leaves no room for an answer.
    """
    if writer.has_rules or not writer.shareable or writer.task.options.decoding == "beam":
        yield str(writer.predict([prompt])[0].label)
        return
    (ids,), _ = writer.prompts([prompt])
    own, bound = writer.own_decoding, writer.constraint
    room = min(own.max_tokens, writer.context_tokens - len(ids))
    batch = writer.side_by_side(Limits(sequences=1))
    try:
        if room < 1:
            raise TooLong
        batch.add(Draft(ids, replace(own, max_tokens=room), bound.start() if bound else None, asked=prompt))
    except TooLong:
        raise ModelError(
            t("The conversation leaves no room for an answer."), t("Begin a new one, or say less.")
        ) from None
    while True:
        for _, piece in batch.step():
            if piece.error is not None:
                raise piece.error
            yield piece.text
            if piece.last:
                return
