"""Answers that can only be what they must look like: at each step the tokens that may follow.

The grammar runs over the bytes of the tokens (llguidance), so that any cut of a text into tokens will do. Special
tokens are no text: none is ever allowed, but for the one that ends an answer, exactly where the answer may end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from tuneloop.core.config import parse_options
from tuneloop.core.errors import ConfigError, MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.core.project import read_schema
from tuneloop.tasks.constraint import ConstraintOptions

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.models.chat import ChatTokenizer

    BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
    Spec = Mapping[str, Any] | ConstraintOptions

WHITESPACE = r"(\n {0,16}| )?"
"""What may stand between the parts of a JSON text. Without a bound a model can write blanks until its limit."""

JSON_OPTIONS = {"whitespace_pattern": WHITESPACE, "lenient": False}
"""A keyword that is not understood is refused, whatever the schema itself says of that."""

MOST_SHOWN = 200
"""Characters of a constraint in an error."""

_KNOWN: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""llguidance's view of each tokenizer, which takes up to a second to build."""


class State:
    """How far one answer has come.

    Args:
        matcher: llguidance's, which this state owns.
        vocabulary: number of token ids.
        end_id: the token that ends an answer.
    """

    def __init__(self, matcher: Any, vocabulary: int, end_id: int) -> None:
        self._matcher, self._vocabulary, self._end_id = matcher, vocabulary, end_id

    def allowed(self) -> BoolArray:
        """Which tokens may come next, bool, (vocabulary,).

        Raises:
            ModelError: if the grammar became too large to go on.
        """
        packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            raise ModelError(
                t("The constraint cannot be followed any further: {reason}", reason=_reason(self._matcher))
            )
        return np.unpackbits(packed, count=self._vocabulary, bitorder="little").astype(bool)

    def accept(self, token_id: int) -> None:
        """Go on with this token; behind the end nothing changes any more.

        Raises:
            ValueError: if it is not allowed here; the state is then as it was.
        """
        if self.finished:
            if token_id != self._end_id:
                raise ValueError(f"token {token_id} follows a finished answer")
        elif not (0 <= token_id < self._vocabulary and self._matcher.try_consume_tokens([token_id])):
            raise ValueError(f"token {token_id} is not allowed here")

    @property
    def finished(self) -> bool:
        """Whether the answer is whole and nothing but the end can follow."""
        return bool(self._matcher.is_stopped() and not self._matcher.is_error())

    def copy(self) -> State:
        """The same place, to go on from in another way."""
        return State(self._matcher.deep_copy(), self._vocabulary, self._end_id)


class Constraint:
    """What every answer must look like, for one tokenizer; see `compile_constraint`."""

    def __init__(self, matcher: Any, vocabulary: int, end_id: int) -> None:
        self._first = State(matcher, vocabulary, end_id)

    def start(self) -> State:
        """The state before the first token of an answer."""
        return self._first.copy()

    def completes(self, ids: list[int]) -> bool:
        """Whether these tokens are a whole answer, up to its end."""
        state = self.start()
        try:
            for number in ids:
                state.accept(number)
        except ValueError:
            return False
        return state.finished


def compile_constraint(spec: Spec, tokenizer: ChatTokenizer) -> Constraint:
    """The constraint that `spec` asks for, over the tokens of `tokenizer`.

    Args:
        spec: one of `{"choices": [...]}`, `{"regex": "..."}` and `{"json_schema": {...}}`; a `pathlib.Path` as
            schema is the file that holds it. A text is never taken for a path, so that a request names no files.

    Raises:
        ConfigError: if it is none of these, cannot be understood, or no answer can look like that.
        ModelError: if the tokens are not made of bytes.
        MissingExtraError: without llguidance.
    """
    asked = _asked(spec)
    tokens = _tokens(tokenizer)
    try:
        matcher = _matcher(tokens, asked)
    except (ValueError, TypeError, RecursionError) as error:  # a schema that is no JSON, or too deep
        raise _refused(asked, str(error)) from None
    first = matcher.deep_copy()
    if not first.is_error():
        first.compute_bitmask()  # only then is it known whether anything can follow
    if first.is_error():
        raise _refused(asked, _reason(first))
    return Constraint(matcher, tokens.vocab_size, tokenizer.end_id or 0)


class Steered:
    """A transformers `LogitsProcessor`: what may not follow has no chance; rows and beams are known by their tokens.

    Args:
        constraint: the same for every row.
        width: tokens of the prompts, which stand before the answers.
        before: special tokens that every answer begins with; the constraint holds behind them.
    """

    def __init__(self, constraint: Constraint, width: int, before: Sequence[int] = ()) -> None:
        self._width, self._before = width, tuple(before)
        self._states: dict[tuple[int, ...], State | None] = {self._before: constraint.start()}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores, (rows, vocabulary), with minus infinity for what is not allowed."""
        import torch

        step = input_ids.shape[1] - self._width
        if step < len(self._before):
            others = torch.arange(scores.shape[1], device=scores.device) != self._before[step]
            return scores.masked_fill(others, -torch.inf)
        written = [tuple(ids) for ids in input_ids[:, self._width :].tolist()]
        self._states = {ids: self._after(ids) for ids in dict.fromkeys(written)}
        masks = {ids: self._mask(state, scores.shape[1]) for ids, state in self._states.items()}
        allowed = torch.from_numpy(np.stack([masks[ids] for ids in written])).to(scores.device)
        return scores.masked_fill(~allowed, -torch.inf)

    def _after(self, ids: tuple[int, ...]) -> State | None:
        """The state behind these tokens, None behind what was never allowed: a beam without a chance."""
        if ids in self._states:
            return self._states[ids]
        before = self._states.get(ids[:-1])
        if before is None or before.finished:  # behind the end transformers fills up
            return before
        state = before.copy()
        try:
            state.accept(ids[-1])
        except ValueError:
            return None
        return state

    @staticmethod
    def _mask(state: State | None, width: int) -> BoolArray:
        mask = np.zeros(width, dtype=bool)
        if state is None:
            mask[:] = True  # its score is minus infinity already
        else:
            allowed = state.allowed()[:width]
            mask[: len(allowed)] = allowed
        return mask


def _asked(spec: Spec) -> tuple[str, Any]:
    """The kind of constraint and its value."""
    if not isinstance(spec, ConstraintOptions | Mapping):
        raise ConfigError(t("The constraint is no mapping."), _kinds())
    if not isinstance(spec, ConstraintOptions):
        plain = dict(spec)
        if isinstance(plain.get("json_schema"), Path):
            plain["json_schema"] = read_schema(plain["json_schema"])
        spec = parse_options(ConstraintOptions, plain, where=t("the constraint"))
    if not spec.given:
        raise ConfigError(t("The constraint is empty."), _kinds())
    return next(iter(spec.given.items()))


def _matcher(tokens: Any, asked: tuple[str, Any]) -> Any:
    from llguidance import LLMatcher

    kind, value = asked
    if kind == "choices":
        grammar = LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(choice) for choice in value))
    elif kind == "regex":
        grammar = LLMatcher.grammar_from_regex(value)
    else:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(value), overrides=JSON_OPTIONS)
    return LLMatcher(tokens, grammar, log_level=0)


def _tokens(tokenizer: ChatTokenizer) -> Any:
    """llguidance's tokenizer with the same tokens."""
    try:
        from llguidance import LLTokenizer
    except ImportError as error:
        raise MissingExtraError(error.name or "llguidance", "generation") from None
    if tokenizer not in _KNOWN:
        try:
            _KNOWN[tokenizer] = LLTokenizer(_unspeakable(tokenizer.definition), eos_token=tokenizer.end_id)
        except ValueError as error:
            raise ModelError(
                t("The tokens of {path} are not made of bytes: {reason}", path=tokenizer.path, reason=error),
                t("Constraints need a byte-level tokenizer, or one that falls back to bytes, as language models have."),
            ) from None
    return _KNOWN[tokenizer]


def _unspeakable(definition: str) -> str:
    """A tokenizer.json whose special tokens are called what no text says.

    What a grammar leaves no choice about is cut into tokens as any text is, and a text that spells a special token
    would become one.
    """
    plain = json.loads(definition)
    names = {one["content"]: f"\ue000{one['id']}\ue001" for one in plain["added_tokens"] if one["special"]}
    for one in plain["added_tokens"]:
        one["content"] = names.get(one["content"], one["content"])
    vocabulary = plain["model"].get("vocab", {})
    if isinstance(vocabulary, dict):
        plain["model"]["vocab"] = {names.get(piece, piece): number for piece, number in vocabulary.items()}
    else:  # pieces with their scores
        plain["model"]["vocab"] = [[names.get(piece, piece), score] for piece, score in vocabulary]
    if plain["model"].get("unk_token") in names:
        plain["model"]["unk_token"] = names[plain["model"]["unk_token"]]
    return json.dumps(plain | {"post_processor": None})  # which puts special tokens around a text


def _refused(asked: tuple[str, Any], reason: str) -> ConfigError:
    kind, value = asked
    try:
        shown = json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        shown = "…"
    return ConfigError(
        t("The constraint {kind} cannot be used: {reason}.", kind=kind, reason=reason.rstrip(".")),
        t("It is: {value}", value=shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + "…"),
    )


def _kinds() -> str:
    return t("Give one of: {known}.", known=", ".join(ConstraintOptions.model_fields))


def _reason(matcher: Any) -> str:
    """What is wrong, in one line; of a pattern's message the part that names the mistake."""
    # NoExtension is llguidance's name for a place where neither another token nor an end can follow
    lines = [line.strip() for line in str(matcher.get_error()).splitlines() if line.strip()]
    named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    found = (named or lines or ["?"])[0]
    return t("no answer of these tokens can look like that") if found.startswith("NoExtension") else found
