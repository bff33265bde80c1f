"""A tokenizer that reads what is known of a text behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.data.tokens import Tokens
    from tuneloop.knowledge.attach import Knowledge
    from tuneloop.models.tokenizer import Tokenizer

READS_ELSEWHERE = ("in_context",)
"""Methods that read texts beside their tokenizer."""


class KnowingTokenizer:
    """The tokenizer inside, given each input as `Knowledge.read` has it; the same in training and in serving.

    Args:
        inside: what makes the tokens.
        knowledge: what is written behind texts.
    """

    def __init__(self, inside: Tokenizer, knowledge: Knowledge) -> None:
        self._inside, self._knowledge = inside, knowledge

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return hash_json([self._inside.identity, self._knowledge.reading])

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order."""
        return self._inside.encode(self._knowledge.read(inputs))

    def placed(self, item: Input) -> Any:
        """Where the tokens of one input stand; what is written behind the text stands behind its last character."""
        return self._inside.placed(self._knowledge.read([item])[0])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy in the making has nothing inside yet
            raise AttributeError(name)
        return getattr(self._inside, name)


def knowing(tokenizer: Any, knowledge: Knowledge | None) -> Any:
    """The tokenizer, with knowledge behind texts where there is such."""
    return KnowingTokenizer(tokenizer, knowledge) if knowledge is not None and knowledge.context else tokenizer


def check_context(knowledge: Knowledge | None, *, task: str, method: str, layout: str, places: bool) -> None:
    """Refuse a context that would not be read, or would move the places that answers point at.

    Args:
        layout: see `Task.layout`.
        places: whether answers are stretches of the text.

    Raises:
        ConfigError: if there is one.
    """
    if knowledge is None or not knowledge.context:
        return
    if layout != "whole" or places or method in READS_ELSEWHERE:
        raise ConfigError(
            t("knowledge.context does not go with the task {task} and the method {method}.", task=task, method=method),
            t("Leave it out; it goes with classes and numbers of texts and pairs."),
        )
