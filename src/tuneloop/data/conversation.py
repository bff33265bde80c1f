"""Conversations as texts and back: a prompt is one text everywhere, also where several have spoken before.

What one user says stands for itself. All else is a JSON array of {"role", "content"}, written so that mending by
`data.clean` can never make other messages of it. What a user says and looks like such an array is written as an array
with one message, so that nobody can speak in another's name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.clean import CONTROL, SURROGATE, clean_text

ROLES = ("system", "user", "assistant")
ROLE_NAMES = {"developer": "system", "human": "user", "gpt": "assistant", "chatgpt": "assistant"} | {
    role: role for role in ROLES
}
"""What OpenAI and ShareGPT call them."""

TOOL_ROLES = ("tool", "function", "function_call", "function-call", "tool_call", "observation")
BEGINNING = '[{"role": "'
QUOTES = re.compile("[\ufe68\uff02\uff3c]")
"""Every character beyond ASCII whose compatible form (NFKC) has a quote or a backslash."""

NEVER_BROKEN = re.compile("[\x00-\x7e\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]*")
"""ASCII and plain Chinese: no wrong reading of UTF-8 looks so, which saves a longer look at most texts."""

BEHIND_ESCAPE = re.compile(r'(\\(?:u[0-9a-f]{4}|["\\bfnrt]))([\x7f-\U0010ffff]+)')
MENDINGS = [
    CleanConfig(unicode=form, fix_encoding=encoding, control=control)  # type: ignore[call-arg,arg-type]
    for form, encoding, control in product(("NFC", "NFKC", "none"), (True, False), (True, False))
]


class Message(NamedTuple):
    """What somebody says: `role` is system, user or assistant."""

    role: str
    content: str


def to_text(messages: Sequence[Message]) -> str:
    """The text of a prompt, from which `to_messages` gives the same messages, also after `data.clean`.

    A half of a character (a lone surrogate) becomes U+FFFD where the text is an array, as cleaning would make it.
    """
    if len(messages) == 1 and messages[0].role == "user" and not _could_be_read(messages[0].content):
        return messages[0].content
    plain = [message._replace(content=SURROGATE.sub("\ufffd", message.content))._asdict() for message in messages]
    text = json.dumps(plain, ensure_ascii=False)
    text = BEHIND_ESCAPE.sub(_marks_escaped, QUOTES.sub(_escaped, text))
    if any(map(_is_bad, (text, *_forms(text)))):
        # mending an encoding can make a quote of three letters: what looks broken is kept as it is
        text = json.dumps(plain)
    return text


def to_messages(text: str) -> list[Message]:
    """The messages of a prompt; what is no array of messages is what one user says."""
    return _read(text) or [Message("user", text)]


def said(text: str) -> str:
    """What user and assistant have said in a prompt, one message below the other: what tells two prompts apart."""
    return "\n".join(message.content for message in to_messages(text) if message.role != "system")


def instruction(text: str) -> str:
    """What the system says in a prompt; empty if it says nothing."""
    return "\n".join(message.content for message in to_messages(text) if message.role == "system")


def spoken(text: str) -> str:
    """All that is said in a prompt, one message below the other, without the roles."""
    return "\n".join(message.content for message in to_messages(text))


def shortened(text: str, most: int) -> str:
    """The prompt with `most` characters at most of what is said, and a sign where some are missing.

    The last message stays longest: it is the one that is answered.
    """
    kept: list[Message] = []
    room, messages = most, to_messages(text)
    for message in reversed(messages):
        if room <= 0:
            kept[0] = kept[0]._replace(content=f"… {kept[0].content}")
            break
        content = message.content if len(message.content) <= room else message.content[:room] + "…"
        kept.insert(0, message._replace(content=content))
        room -= len(message.content)
    return to_text(kept)


def parse_messages(raw: Sequence[Any]) -> list[Message]:
    """The messages of a file or a request, as OpenAI or ShareGPT write them.

    Raises:
        ValueError: with the reason, if they are no conversation.
    """
    messages = [parse_message(each, number) for number, each in enumerate(raw, 1)]
    if not messages:
        raise ValueError(t("there are no messages"))
    for number, message in enumerate(messages[1:], 2):
        if message.role == messages[number - 2].role:
            raise ValueError(t("messages {first} and {second} are both of the {role}", first=number - 1, second=number,
                               role=message.role))  # fmt: skip
        if message.role == "system":
            raise ValueError(t("message {number}: the system may only speak first", number=number))
    if not any(message.role == "user" for message in messages):
        raise ValueError(t("no message is of the user"))
    return messages


def parse_message(raw: Any, number: int) -> Message:
    """One message, the `number`th of its conversation, from 1.

    Raises:
        ValueError: with the reason, if it is none.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(t("message {number} is no object with role and content", number=number))
    shares = raw.get("from") is not None and raw.get("role") is None  # a table may have both, one of them empty
    role_key, content_key = ("from", "value") if shares else ("role", "content")
    role = raw.get(role_key)
    if role in TOOL_ROLES or raw.get("tool_calls") or raw.get("function_call"):
        raise ValueError(t("message {number}: calls of tools are not read yet", number=number))
    if not isinstance(role, str) or role not in ROLE_NAMES:
        raise ValueError(t("message {number}: {role} is none of the roles {known}", number=number, role=repr(role)[:40],
                           known=", ".join(ROLES)))  # fmt: skip
    content = _content(raw.get(content_key))
    if content is None:
        raise ValueError(t('message {number}: "{name}" is no text', number=number, name=content_key))
    if not content.strip():
        raise ValueError(t('message {number}: "{name}" is empty', number=number, name=content_key))
    return Message(ROLE_NAMES[role], content)


def _content(raw: Any) -> str | None:
    """The text of a message, or of its parts together; None if there is something else in it."""
    if isinstance(raw, list):
        parts = [each["text"] for each in raw if isinstance(each, Mapping) and each.get("type") == "text"
                 and isinstance(each.get("text"), str)]  # fmt: skip
        return "".join(parts) if len(parts) == len(raw) else None
    return raw if isinstance(raw, str) else None


def _read(text: str) -> list[Message] | None:
    """The messages of an array as `to_text` writes it; None if it is none."""
    if not text.startswith(BEGINNING):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for each in found:
        if not isinstance(each, dict) or each.keys() != {"role", "content"}:
            return None
        if each["role"] not in ROLES or not isinstance(each["content"], str):
            return None
    return [Message(each["role"], each["content"]) for each in found]


def _could_be_read(content: str) -> bool:
    """Whether what a user says is read as messages, now or after any mending of it."""
    if content.isascii():  # mending only drops control characters
        return any(_read(each) is not None for each in (content, CONTROL.sub("", content)))
    if not _is_bad(content) and not any("[{" in form or _is_bad(form) for form in _forms(content)):
        return False
    once = {clean_text(content, mending, Counter()) for mending in MENDINGS} | {content}
    twice = {clean_text(form, mending, Counter()) for mending in MENDINGS for form in once}
    return any(_read(form) is not None for form in once | twice)


def _forms(text: str) -> set[str]:
    """What becomes of a text whose encoding is not mended."""
    bare = CONTROL.sub("", text)
    return {unicodedata.normalize(form, each) for form in ("NFC", "NFKC") for each in (bare, text)} | {bare}


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _marks_escaped(found: re.Match[str]) -> str:
    """The accents that follow an escape are escaped too: the n of a line break would take them (NFC)."""
    escape, following = found.groups()
    place = 0
    while place < len(following) and (_is_mark(following[place]) or CONTROL.match(following[place])):
        place += 1
    return str(escape) + json.dumps(following[:place])[1:-1] + str(following[place:])


def _is_mark(character: str) -> bool:
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) > 0


def _is_bad(text: str) -> bool:
    """Whether the encoding of a text seems broken, so that it would be mended."""
    from ftfy.badness import is_bad as seems_broken

    return NEVER_BROKEN.fullmatch(text) is None and bool(seems_broken(text))
