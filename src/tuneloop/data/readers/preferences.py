"""Pairs of answers of which one is preferred, as OpenAI and TRL keep them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.data.conversation import Message, parse_message, parse_messages
from tuneloop.data.readers.chat import ARRAY, HEAD_BYTES, OBJECT, free_name, read_objects, system_of, wrong_row
from tuneloop.data.readers.table import Table
from tuneloop.data.readers.whole_json import head_of

CHOSEN = {"chosen": "rejected", "preferred_output": "non_preferred_output"}
"""What the better answer is called, and the worse one."""

PROMPTS = ("prompt", "messages", "input")


def read_preferences(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table with one row per pair: `text`, the prompt; `label`, the better answer; `rejected`, the worse one.

    A row has `chosen` and `rejected`, each a text, one message of the assistant, or a whole conversation that ends with
    one; and its prompt as `prompt` or `messages`, where it is not the beginning of these conversations. Or it has
    `input`, `preferred_output` and `non_preferred_output`. `system` stands before a prompt in which the system says
    nothing. All other columns are kept.

    Raises:
        DataError: with file, row and field, at the first thing that is wrong.
    """
    table = read_objects(path, encoding, split)
    mine: dict[str, list[Any]] = {"text": [], "label": [], "rejected": []}
    for row in range(len(table)):
        fields = {name: values[row] for name, values in table.columns.items() if values[row] is not None}
        try:
            found = _pair(fields)
        except ValueError as error:
            raise wrong_row(table, row, None, str(error)) from None
        for name, value in zip(mine, found, strict=True):
            mine[name].append(value)
    used = {*PROMPTS, *CHOSEN, *CHOSEN.values(), "system"}
    others = {name: values for name, values in table.columns.items() if name not in used}
    columns = mine | {free_name(name, mine): values for name, values in others.items()}
    return replace(table, columns=columns, worse="rejected")


def is_preferences(path: Path) -> bool:
    """Whether a file of JSON begins with a pair of answers."""
    head = head_of(path, HEAD_BYTES)
    if not OBJECT.match(head):
        return False
    if not ARRAY.match(head):
        head = head.lstrip().split(b"\n", 1)[0]
    return any(all(_has(head, name) for name in pair) for pair in CHOSEN.items())


def _has(head: bytes, name: str) -> bool:
    return re.search(rb'[{,]\s*"' + name.encode() + rb'"\s*:\s*["\[{]', head) is not None


def _pair(fields: Mapping[str, Any]) -> tuple[Any, str, str]:
    """The prompt as a text or as messages, and both answers."""
    names = next((pair for pair in CHOSEN.items() if pair[0] in fields), None)
    if names is None:
        raise ValueError(t("there is no pair of answers: none of {known}", known=", ".join(CHOSEN)))
    (before, chosen), (other, rejected) = (_answer(fields, name) for name in names)
    if before != other:
        raise ValueError(t("the two conversations do not begin alike"))
    if before:
        return _told([each._asdict() for each in before], fields), chosen, rejected
    given = next((fields[name] for name in PROMPTS if name in fields), None)
    if isinstance(given, Mapping):
        given = given.get("messages")
    if isinstance(given, str) and given.strip():
        return _told([{"role": "user", "content": given}], fields) if system_of(fields) else given, chosen, rejected
    if not isinstance(given, list):
        raise ValueError(t("there is no prompt: none of {known}", known=", ".join(PROMPTS)))
    return _told(given, fields), chosen, rejected


def _told(given: list[Any], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a prompt, what the system says first."""
    messages = parse_messages(given)
    if messages[0].role != "system":
        messages = [*system_of(fields), *messages]
    return [message._asdict() for message in messages]


def _answer(fields: Mapping[str, Any], name: str) -> tuple[list[Message], str]:
    """What stands before an answer where the whole conversation is given, and the answer."""
    given = fields.get(name)
    if isinstance(given, Mapping):
        given = [given]
    if isinstance(given, str) and given.strip():
        return [], given
    if not isinstance(given, list) or not given:
        raise ValueError(t('"{name}" is no answer', name=name))
    messages = [parse_message(each, number) for number, each in enumerate(given, 1)]
    if messages[-1].role != "assistant":
        raise ValueError(t('"{name}" does not end with the assistant', name=name))
    return messages[:-1], messages[-1].content
