"""Answers to many prompts, written side by side one token a step; prompts come and answers leave between two steps.

Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative Models" (OSDI 2022): the batch is made
anew at every step, so that no short answer waits for a long one beside it, and no prompt for the end of a batch.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.decoding import Choice, Chooser, Constraint, Decoding
from tuneloop.inference.key_values import KeyValues, Prefixes, layers_of, prefill_cache
from tuneloop.inference.text_stream import TextStream
from tuneloop.models.forward import places_for_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Input

KINDS_OF_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
"""Layers whose state is keys and values of tokens, which can be padded, cut and shared."""


@dataclass(frozen=True)
class Limits:
    """How much is held at once.

    Args:
        sequences: answers that are written side by side at most.
        tokens: tokens of their prompts and answers, padded to the longest, at most; one alone may be longer.
        waiting_tokens: tokens of waiting prompts at most.
        prefill_tokens: a step reads no further prompt once it has read so many tokens of prompts: answers go on.
        prefix_tokens: tokens of earlier prompts whose keys and values are kept for those that begin alike.
    """

    sequences: int = 8
    tokens: int = 8192
    waiting_tokens: int = 65_536
    prefill_tokens: int = 1024
    prefix_tokens: int = 4096


class TooLong(Exception):
    """The model has no places for so many tokens."""


class QueueFull(Exception):
    """No more prompts may wait."""


class NoMemory(Exception):
    """There is not enough memory for an answer beside those that were begun before it."""


class Piece(NamedTuple):
    """What a step has added to an answer.

    Args:
        text: what can be said now; empty while a character or a stop may be incomplete.
        choices: the tokens that were chosen, without the one that ends the answer.
        finish: why the answer has ended, "stop" or "length"; empty while it goes on.
        error: why it cannot go on.
        because: rules that made the answer another one than the model's, as JSON.
    """

    text: str
    choices: tuple[Choice, ...] = ()
    finish: str = ""
    error: Exception | None = None
    because: tuple[dict[str, Any], ...] = ()

    @property
    def last(self) -> bool:
        """Whether no more follows."""
        return bool(self.finish) or self.error is not None


class Draft:
    """An answer that is to be written.

    Args:
        prompt: token ids that it follows, at least one.
        decoding: its settings.
        constraint: what restricts its tokens.
        asked: the text that the prompt was made of, which rules look at.
    """

    def __init__(
        self, prompt: Sequence[int], decoding: Decoding, constraint: Constraint | None = None, *, asked: Input = ""
    ) -> None:
        self.prompt = list(prompt)
        self.asked = asked
        self.decoding = decoding
        self.constraint = constraint
        self.ids: list[int] = []
        self.chosen_tokens = 0
        """Tokens that were chosen so far, with the one that ends the answer."""

        self.reused_tokens = 0
        """Tokens of the prompt whose keys and values were known already."""

        self.cancelled = False

    @property
    def most_tokens(self) -> int:
        """Tokens of prompt and answer at most."""
        return len(self.prompt) + self.decoding.max_tokens


def shareable(model: PreTrainedModel) -> bool:
    """Whether all that a model keeps between two tokens is keys and values, so that a batch can change at any step."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    stateful = getattr(model, "_is_stateful", False) or model.config.is_encoder_decoder
    return not stateful and kinds <= KINDS_OF_LAYERS


class ContinuousBatch:
    """Writes many answers at once. `add` and `cancel` may be called from any thread, `step` from one.

    An answer hangs on its own settings and its own chance alone, up to the rounding of sums that a batch adds up in
    another order.

    Args:
        model: a causal language model, ready to answer.
        ends: tokens that end an answer.
        text_of: the text of token ids.
        limits: how much is held at once.

    Raises:
        ModelError: if the model keeps something else than keys and values between two tokens.
    """

    def __init__(
        self, model: PreTrainedModel, *, ends: set[int], text_of: Callable[[Sequence[int]], str], limits: Limits
    ) -> None:
        if not shareable(model):
            raise ModelError(
                t("Answers of {kind} cannot be written side by side.", kind=type(model).__name__),
                t("Serve a model whose layers are attention alone."),
            )
        self.limits = limits
        self.computed_tokens = 0
        """Tokens that went through the model."""

        self.waiting_tokens = 0
        self._model, self._ends, self._text_of = model, ends, text_of
        self._places = places_for_texts(model)
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._waiting: deque[Draft] = deque()
        self._running: list[_Row] = []
        self._known = KeyValues()
        self._prefixes = Prefixes(limits.prefix_tokens)
        self._lock = threading.Lock()

    @property
    def running(self) -> int:
        """Answers that are being written."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Prompts that wait."""
        return len(self._waiting)

    def add(self, *drafts: Draft) -> None:
        """Let answers be written as soon as there is room: all of these, or none.

        Raises:
            QueueFull: if too much waits already; where nothing waits, these may be more than else may wait.
            TooLong: if the model has no places for a prompt and its answer: a step beyond them would end all answers.
        """
        tokens = sum(len(draft.prompt) for draft in drafts)
        longest = max((len(draft.prompt) + max(1, draft.decoding.max_tokens) for draft in drafts), default=0)
        if self._places is not None and longest > self._places:
            raise TooLong
        with self._lock:
            if self._waiting and self.waiting_tokens + tokens > self.limits.waiting_tokens:
                raise QueueFull
            self._waiting.extend(drafts)
            self.waiting_tokens += tokens

    def cancel(self, draft: Draft) -> None:
        """Write no more of this answer; its place is free from the next step on."""
        with self._lock:
            draft.cancelled = True
            if draft in self._waiting:
                self._waiting.remove(draft)
                self.waiting_tokens -= len(draft.prompt)

    def step(self) -> list[tuple[Draft, Piece]]:
        """One token more for every answer that is being written, and the first for those that find room.

        Returns:
            what was added to each of them; nothing if there is nothing to do. Where memory does not suffice for all
            the newest end, with `NoMemory`.
        """
        import torch

        with torch.inference_mode():
            self._leave([row for row in self._running if not row.draft.cancelled])
            return [*self._advance(), *self._admit()]

    def clear(self) -> list[Draft]:
        """Give up all answers, after a step that has failed; those that were given up."""
        with self._lock:
            given_up = [row.draft for row in self._running] + list(self._waiting)
            self._waiting.clear()
            self.waiting_tokens = 0
        self._running, self._known = [], KeyValues()
        return given_up

    def _advance(self) -> list[tuple[Draft, Piece]]:
        """The next token of every running answer; those that end leave."""
        given_up: list[tuple[Draft, Piece]] = []
        logits = None
        while self._running and logits is None:
            logits = self._try_step()
            if logits is None:
                given_up.append((self._running[-1].draft, Piece("", error=NoMemory())))
                self._running = self._running[:-1]
        if logits is None:
            return given_up
        rows, likeliest = self._running, logits.argmax(dim=1).tolist()
        told = [(row.draft, row.take(logits[number], likeliest[number])) for number, row in enumerate(rows)]
        self._leave([row for row, (_, piece) in zip(rows, told, strict=True) if not piece.last])
        return [*told, *given_up]

    def _try_step(self) -> Tensor | None:
        """Logits of the next token of every running answer, (rows, vocabulary); None if memory does not suffice.

        What is known is then as before, without the newest answer and without prefixes.
        """
        import torch

        width, newest = self._known.mask.shape[1], len(self._running) - 1
        try:
            return self._forward(
                torch.tensor([[row.draft.ids[-1]] for row in self._running]),
                self._known.lengths[:, None],
                self._known.extend(),
                self._known.cache,
            )
        except Exception as error:
            if not _lacks_memory(error):
                raise
        # here, not above: as long as the error is there, its traceback holds what the step had computed
        self._known.cut(newest, width)
        self._prefixes = Prefixes(self.limits.prefix_tokens)
        return None

    def _admit(self) -> list[tuple[Draft, Piece]]:
        """The first token of the prompts that find room."""
        told: list[tuple[Draft, Piece]] = []
        until = self.computed_tokens + self.limits.prefill_tokens
        while self.computed_tokens < until and (draft := self._next()) is not None:
            row = _Row(draft, self._ends, self._text_of)
            try:
                logits, layers = self._read(draft)
                piece = row.take(logits, int(logits.argmax()))
                if not piece.last:
                    self._known.join(layers)
                    self._running.append(row)
            except Exception as error:  # such as no memory for a long one: the others go on
                piece = Piece("", error=NoMemory() if _lacks_memory(error) else error)
            told.append((draft, piece))
        return told

    def _next(self) -> Draft | None:
        """The prompt that has waited longest, if there is room for it and its answer."""
        with self._lock:
            if not self._waiting:
                return None
            most = max([self._waiting[0].most_tokens, *(row.draft.most_tokens for row in self._running)])
            rows = len(self._running) + 1
            if self._running and (rows > self.limits.sequences or rows * most > self.limits.tokens):
                return None
            draft = self._waiting.popleft()
            self.waiting_tokens -= len(draft.prompt)
            return draft

    def _read(self, draft: Draft) -> tuple[Tensor, Any]:
        """Logits of the first token of an answer, (vocabulary,), and keys and values of its prompt."""
        import torch

        known, layers = self._prefixes.find(draft.prompt)
        cache = prefill_cache(layers)
        ids = torch.tensor([draft.prompt[known:]])
        places = torch.arange(known, len(draft.prompt))[None]
        logits = self._forward(ids, places, torch.ones(1, len(draft.prompt), dtype=torch.long), cache)
        draft.reused_tokens = known
        layers = layers_of(cache)
        self._prefixes.add(draft.prompt, layers)
        return logits[0], layers

    def _forward(self, ids: Tensor, places: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """Logits of what follows the last token of each row, float32, (rows, vocabulary)."""
        device = self._model.device
        self.computed_tokens += ids.numel()
        more = {"position_ids": places.to(device)} if self._takes_positions else {}
        found = self._model(
            input_ids=ids.to(device), attention_mask=mask.to(device), past_key_values=cache, use_cache=True,
            logits_to_keep=1, **more,
        )  # fmt: skip
        logits: Tensor = found.logits[:, -1].float()
        return logits

    def _leave(self, staying: list[_Row]) -> None:
        """Keep these rows alone."""
        if len(staying) < len(self._running):
            self._known.keep([number for number, row in enumerate(self._running) if row in staying])
            self._running = staying


def _lacks_memory(error: Exception) -> bool:
    """Whether this is how torch says that there is no memory; on CPUs only its words tell."""
    import torch

    said = "can't allocate memory" in str(error) or "CUBLAS_STATUS_ALLOC_FAILED" in str(error)
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (isinstance(error, RuntimeError) and said)


class _Row:
    """An answer in the batch: what chooses its tokens and what makes text of them."""

    def __init__(self, draft: Draft, ends: set[int], text_of: Callable[[Sequence[int]], str]) -> None:
        self.draft = draft
        self._ends = ends
        self._chooser = Chooser(draft.decoding, draft.prompt, draft.constraint)
        self._text = TextStream(text_of, draft.decoding.stop)

    def take(self, logits: Tensor, likeliest: int) -> Piece:
        """What the next token adds, by its logits, (vocabulary,), of which `likeliest` is the highest."""
        try:
            choice = Choice(likeliest) if self._chooser.plain else self._chooser.choose(logits.cpu())
            return self._add(choice)
        except Exception as error:  # a constraint that fails ends its own answer, not those beside it
            return Piece("", error=error)

    def _add(self, choice: Choice | None) -> Piece:
        if choice is None:
            return Piece(self._text.end(), finish="stop")
        self.draft.chosen_tokens += 1
        if choice.token_id in self._ends:
            return Piece(self._text.end(), finish="stop")
        self.draft.ids.append(choice.token_id)
        self._chooser.accept(choice.token_id)
        text, finish = self._text.push(choice.token_id), ""
        if self._chooser.finished:
            finish = "stop"
        elif self.draft.chosen_tokens >= self.draft.decoding.max_tokens:
            finish = "length"
        if finish:
            text += self._text.end()
        return Piece(text, (choice,), "stop" if self._text.stopped else finish)
