"""Conversations as the tokens that a language model was made to read, with a mark on those that it is to write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.conversation import Message, to_messages
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.models.tokenizer import Tokenizer, sound

TEMPLATE_FILE = "chat_template.jinja"
PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
)
"""For models that were never made to talk: what was said line by line, and an end behind every answer."""

LEAST_PROMPT = 0.25
"""Share of `max_tokens` that a prompt keeps beside an answer that would fill it all."""

VERSION = 2
"""Of the way from conversations to tokens, which kept tokens depend on."""

NO_CUT = 1 << 20
"""More tokens than a text has: its length is counted, not cut."""

SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "pad_token")


@dataclass(frozen=True)
class _Piece:
    """A stretch of what the template gives: `text` stands at character `start`; `written` by somebody, not by it."""

    text: str
    start: int
    written: bool


class ChatTokenizer(Tokenizer):
    """A prompt becomes the tokens up to where the model writes; a (prompt, answer) tuple those of the conversation.

    Of a whole conversation `Tokens.type_ids` is 1 for what the model is to write: its answer, or all of its answers,
    each with the token that ends it. A special token that somebody has typed into a message is text, so that no
    message can begin another one. A conversation that is too long loses its beginning; an answer that is too long, its
    end.

    Args:
        folder: a model folder with `tokenizer.json`; its chat template is used, or else `PLAIN_TEMPLATE`.
        max_tokens: tokens of a conversation at most.
        answer_tokens: tokens that a prompt leaves for its answer.
        every_answer: whether earlier answers are learnt too.
        instruction: what the system says in conversations in which it says nothing.

    Raises:
        ModelError: if the folder has no readable `tokenizer.json`, or the tokenizer no token that ends an answer.
    """

    def __init__(
        self, folder: Path, max_tokens: int, *, answer_tokens: int = 0, every_answer: bool = True, instruction: str = ""
    ) -> None:
        super().__init__(folder, max_tokens)
        self.answer_tokens = answer_tokens
        self.every_answer = every_answer
        self.instruction = instruction
        self.template = chat_template(folder) or PLAIN_TEMPLATE
        self.special = {name: self._token_of(name) for name in SPECIAL_NAMES}
        self.end = self.special["eos_token"]
        self.end_id = self._inner.token_to_id(self.end) if self.end else None
        if self.end_id is None:
            raise ModelError(
                t("The tokenizer in {folder} has no token that ends a text.", folder=folder),
                t("Generation needs a causal language model whose tokenizer_config.json names its eos_token."),
            )
        self._begins_text = self._always_first()
        self._begin = [] if self._template_begins() else self._begins_text
        added = [token.content for token in self._inner.get_added_tokens_decoder().values() if token.special]
        self._reserved = re.compile("|".join(map(re.escape, sorted(added, key=len, reverse=True)))) if added else None
        self._as_text = type(self._inner).from_str(self._inner.to_str())
        self._as_text.encode_special_tokens = True

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        read = [self.template, self.special, self.answer_tokens, self.every_answer, self.instruction]
        return hash_json([super().identity, VERSION, *read])

    @property
    def definition(self) -> str:
        """The content of a tokenizer.json with these tokens."""
        return str(self._inner.to_str())

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every prompt, or of every conversation, in order."""
        ids, marks, cut = [], [], []
        for item in inputs:
            prompt, answer = (item, None) if isinstance(item, str) else item
            numbers, learnt = self._read(
                self.told(to_messages(sound(prompt))), None if answer is None else sound(answer)
            )
            numbers, learnt, was_cut = self._fit(numbers, learnt)
            ids.append(numbers)
            marks.append(learnt)
            cut.append(was_cut)
        tokens = Tokens.of_first_texts(ids, truncated=cut, pad_id=self.pad_id)
        flat = np.array([mark for each in marks for mark in each], dtype=np.int8)
        return Tokens(tokens.ids, tokens.offsets, flat if flat.any() else None, tokens.truncated, tokens.pad_id)

    def bare(self, text: str) -> list[int]:
        """The tokens of a text that is to be continued, without the template; a special token in it is text."""
        return [*self._begins_text, *self._as_text.encode(sound(text), add_special_tokens=False).ids]

    def told(self, messages: list[Message]) -> list[Message]:
        """The conversation with the instruction before it, unless the system speaks in it already."""
        if not self.instruction or messages[0].role == "system":
            return messages
        return [Message("system", self.instruction), *messages]

    def text_of(self, ids: Sequence[int]) -> str:
        """What the model has written, without special tokens."""
        return str(self._inner.decode(list(ids), skip_special_tokens=True))

    def token_text(self, number: int) -> str:
        """The token itself, special or not."""
        return str(self._inner.decode([number], skip_special_tokens=False))

    def rendered(self, messages: Sequence[Message], *, ask: bool) -> str:
        """The conversation as one text; `ask` adds what stands before an answer.

        Raises:
            ModelError: if the template refuses the conversation.
        """
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            (text,), _ = render_jinja_template(
                conversations=[[message._asdict() for message in messages]],
                chat_template=self.template,
                add_generation_prompt=ask,
                **{name: token or "" for name, token in self.special.items()},
            )
        except TemplateError as error:
            raise ModelError(
                t("The chat template refuses a conversation: {reason}", reason=str(error).split("\n")[0]),
                t("Its roles are: {roles}.", roles=", ".join(message.role for message in messages)),
            ) from error
        return str(text)

    def _read(self, messages: list[Message], answer: str | None) -> tuple[list[int], list[int]]:
        """Token ids, and 1 for each that the model is to write."""
        hidden: list[str] = []
        safe = [self._hide(message, hidden) for message in messages]
        asked = self.rendered(safe, ask=True)
        if answer is None:
            return self._tokens(asked, hidden, [])
        whole = [*safe, self._hide(Message("assistant", answer), hidden)]
        text = self.rendered(whole, ask=False)
        if not text.startswith(asked):  # a template that writes an asked question otherwise than an answered one
            text = asked + whole[-1].content + str(self.end)
        spoken = [self._spoken(text, asked)]
        if self.every_answer:
            spoken += self._earlier(safe, text)
        return self._tokens(text, hidden, spoken)

    def _earlier(self, messages: list[Message], text: str) -> Iterator[tuple[int, int]]:
        """Where earlier answers stand; those that the template no longer shows as they were given are left out."""
        for number, message in enumerate(messages):
            if message.role == "assistant":
                before = self.rendered(messages[:number], ask=True)
                after = self.rendered(messages[: number + 1], ask=False)
                if text.startswith(after) and after.startswith(before):
                    yield self._spoken(after, before)

    def _spoken(self, text: str, before: str) -> tuple[int, int]:
        """From where the answer begins to behind the token that ends it; a line break after that is the template's."""
        end = len(text.rstrip()) if text.rstrip().endswith(str(self.end)) else len(text)
        return len(before), end

    def _tokens(self, text: str, hidden: list[str], spoken: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
        ids, learnt = list(self._begin), [0] * len(self._begin)
        for piece in self._pieces(text, hidden):
            inner = self._as_text if piece.written else self._inner
            encoding = inner.encode(piece.text, add_special_tokens=False)
            ids += encoding.ids
            starts = [piece.start + (0 if piece.written else start) for start, _ in encoding.offsets]
            learnt += [int(any(low <= start < high for low, high in spoken)) for start in starts]
        if spoken and ids[-1] != self.end_id and learnt[-1]:
            ids.append(self.end_id)  # type: ignore[arg-type]
            learnt.append(1)
        return ids, learnt

    def _pieces(self, text: str, hidden: list[str]) -> Iterator[_Piece]:
        """The parts of a text: what was hidden, and what stands between."""
        place = 0
        for found in re.finditer("\ue000(\\d+)\ue001", text) if hidden else ():
            if found.start() > place:
                yield _Piece(text[place : found.start()], place, written=False)
            yield _Piece(hidden[int(found[1])], found.start(), written=True)
            place = found.end()
        if place < len(text):
            yield _Piece(text[place:], place, written=False)

    def _hide(self, message: Message, hidden: list[str]) -> Message:
        """The message with a mark for each special token that is written in it, which is kept in `hidden`."""
        content = re.sub("[\ue000\ue001]", "\ufffd", message.content)
        if self._reserved is None or not self._reserved.search(content):
            return message._replace(content=content)

        def mark(found: re.Match[str]) -> str:
            hidden.append(found[0])
            return f"\ue000{len(hidden) - 1}\ue001"

        return message._replace(content=self._reserved.sub(mark, content))

    def _fit(self, ids: list[int], learnt: list[int]) -> tuple[list[int], list[int], bool]:
        """Ids and marks within `max_tokens`: the beginning goes first, then the end of the answer."""
        room = self.max_tokens if any(learnt) else max(1, self.max_tokens - self.answer_tokens)
        if len(ids) <= room:
            return ids, learnt, False
        if any(learnt):
            end = len(learnt) - learnt[::-1].index(1)  # of the last answer; a line break may stand behind it
            start = end - learnt[:end][::-1].index(0) if 0 in learnt[:end] else 0
            least = min(start, int(room * LEAST_PROMPT))
            drop = min(len(ids) - room, start - least)
        else:
            drop = len(ids) - room
        kept = len(self._begin)
        ids, learnt = [*ids[:kept], *ids[kept + drop :]], [*learnt[:kept], *learnt[kept + drop :]]
        return ids[:room], learnt[:room], True

    def _token_of(self, name: str) -> str | None:
        number = self._id_of(name)
        return None if number is None else str(self._inner.id_to_token(number))

    def _always_first(self) -> list[int]:
        """The token that the tokenizer puts before every text, if there is one."""
        plain, framed = (list(self._inner.encode("a", add_special_tokens=each).ids) for each in (False, True))
        return framed[: len(framed) - len(plain)] if framed[-len(plain) :] == plain else []

    def _template_begins(self) -> bool:
        """Whether the template puts it there already."""
        begin = self.special["bos_token"]
        return begin is not None and self.rendered([Message("user", "a")], ask=True).startswith(begin)


def uncut_tokenizer(folder: Path, *, writes: bool) -> Tokenizer:
    """What counts the tokens of texts, or of conversations for a model that `writes`, however long they are."""
    return open_writing_tokenizer(folder, NO_CUT) if writes else Tokenizer(folder, NO_CUT)


def open_writing_tokenizer(folder: Path, max_tokens: int, **options: Any) -> ChatTokenizer:
    """What turns prompts and answers into what the model in a folder reads and writes: see `ChatTokenizer`.

    Raises:
        ModelError: as `ChatTokenizer`.
    """
    from tuneloop.models.encoder_decoder import PromptTokenizer
    from tuneloop.models.load import is_encoder_decoder

    if is_encoder_decoder(folder):
        return PromptTokenizer(folder, max_tokens, instruction=options.get("instruction", ""))
    return ChatTokenizer(folder, max_tokens, **options)


def instructing(template: str, instruction: str) -> str:
    """The template that lets the system say the instruction wherever it says nothing, for all who know no task."""
    said = json.dumps(instruction, ensure_ascii=False)
    first = "{% if messages[0]['role'] != 'system' %}"
    return f"{first}{{% set messages = [{{'role': 'system', 'content': {said}}}] + messages %}}{{% endif %}}{template}"


def chat_template(folder: Path) -> str:
    """The template of a model folder, empty if it has none."""
    if (folder / TEMPLATE_FILE).is_file():
        return (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
    settings: dict[str, Any] = {}
    if (folder / "tokenizer_config.json").is_file():
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    found = settings.get("chat_template") or ""
    if isinstance(found, list):  # several by name
        found = next((each["template"] for each in found if each["name"] == "default"), "")
    return str(found)
