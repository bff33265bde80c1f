"""Conversations and instructions with their answers, as OpenAI, ShareGPT and Alpaca keep them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.conversation import Message, parse_messages
from tuneloop.data.readers.datasets_folder import read_datasets_folder
from tuneloop.data.readers.jsonl import read_jsonl
from tuneloop.data.readers.parquet import read_parquet
from tuneloop.data.readers.table import Table
from tuneloop.data.readers.whole_json import Part, head_of, read_whole_json

HEAD_BYTES = 1 << 16
PARQUET = b"PAR1"
ARRAY = re.compile(rb"\A(\xef\xbb\xbf)?\s*\[")
OBJECT = re.compile(rb"\A(\xef\xbb\xbf)?\s*(\[\s*)?\{")
CONVERSATION = re.compile(
    rb'[{,]\s*"(messages|conversations)"\s*:\s*\[\s*(\]|\{\s*"(role|content|from|value|name|weight|id|tool_calls)"\s*:)'
)
INSTRUCTION = re.compile(rb'[{,]\s*"instruction"\s*:\s*"')
BESIDE_INSTRUCTION = re.compile(rb'[{,]\s*"(output|input)"\s*:')


def read_chat(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """The conversations of a file of JSON, a Parquet file, or a folder of the datasets library; see `split_talks`.

    A file of JSON has one object per line, or is one list of them.

    Raises:
        DataError: with file, row and field, at the first thing that is wrong.
    """
    return split_talks(read_objects(path, encoding, split))


def split_talks(table: Table) -> Table:
    """A table with one row per conversation: `text`, its messages before the last answer; `label`, that answer.

    A conversation is a row with `messages` (OpenAI), with `conversations` (ShareGPT), or with `instruction`, `input`
    and `output` (Alpaca), `history` before them; `system` stands before all that has no message of the system. A
    conversation that ends with the user, or an empty `output`, has no answer; if no row has one, there is no `label`.
    All other columns are kept.

    Raises:
        DataError: with file, row and field, at the first thing that is wrong.
    """
    texts, answers, used = [], [], set()
    for row in range(len(table)):
        fields = {name: values[row] for name, values in table.columns.items() if values[row] is not None}
        field, read = _layout(fields, table, row)
        try:
            messages, answer = read(fields)
        except ValueError as error:
            raise wrong_row(table, row, field, str(error)) from None
        texts.append([message._asdict() for message in messages])
        answers.append(answer)
        used |= USED[field]
    mine: dict[str, list[Any]] = {"text": texts}
    if any(answer is not None for answer in answers):
        _refuse_gaps(table, answers)
        mine["label"] = answers
    others = {name: values for name, values in table.columns.items() if name not in used}
    return replace(table, columns=mine | {free_name(name, mine): values for name, values in others.items()})


def holds_talks(table: Table) -> bool:
    """Whether the first row of a table is a conversation or an instruction."""
    first = {name: values[0] for name, values in table.columns.items() if len(table)}
    for name in ("messages", "conversations"):
        talk = _listed(first.get(name))
        if isinstance(talk, list) and talk and isinstance(talk[0], Mapping):
            return not talk[0].keys().isdisjoint({"role", "from"})
    return isinstance(first.get("instruction"), str) and not first.keys().isdisjoint({"output", "input"})


def is_chat(path: Path) -> bool:
    """Whether a file of JSON begins with a conversation or an instruction."""
    head = head_of(path, HEAD_BYTES)
    if not OBJECT.match(head):
        return False
    if not ARRAY.match(head):
        head = head.lstrip().split(b"\n", 1)[0]
    return bool(CONVERSATION.search(head) or (INSTRUCTION.search(head) and BESIDE_INSTRUCTION.search(head)))


def read_objects(path: Path, encoding: str, split: str) -> Table:
    """Objects as a table with all their keys: one per line, one list of them, Parquet, a folder of datasets."""
    if path.is_dir():
        return read_datasets_folder(path, encoding=encoding, split=split)
    if head_of(path, len(PARQUET)) == PARQUET:
        return read_parquet(path)
    return _whole(path, encoding) if _is_array(path) else read_jsonl(path, encoding=encoding)


def _is_array(path: Path) -> bool:
    return ARRAY.match(head_of(path, HEAD_BYTES)) is not None


def _whole(path: Path, encoding: str) -> Table:
    """The objects of one list, numbered from 1."""
    value, name = read_whole_json(path, encoding=encoding)
    for part in Part(path, value).items():
        if not isinstance(part.value, dict):
            raise part.wrong(t("not a JSON object"))
    names = dict.fromkeys(key for each in value for key in each)
    columns = {key: [each.get(key) for each in value] for key in names}
    return Table(path, columns, range(1, len(value) + 1), None, name)


def _layout(fields: Mapping[str, Any], table: Table, row: int) -> tuple[str, Callable[..., Any]]:
    """The field that holds a row's conversation, and what reads it."""
    for name, read in READ.items():
        if name in fields:
            return name, read
    known = ", ".join(READ)
    raise wrong_row(table, row, None, t("there is no conversation: none of {known}", known=known))


def _of_messages(name: str) -> Callable[[Mapping[str, Any]], tuple[list[Message], str | None]]:
    def read(fields: Mapping[str, Any]) -> tuple[list[Message], str | None]:
        talk = _listed(fields[name])
        if not isinstance(talk, list):
            raise ValueError(t("a list should stand here"))
        messages = parse_messages(talk)
        if messages[0].role != "system":
            messages = [*system_of(fields), *messages]
        if messages[-1].role == "user":
            return messages, None
        if not any(message.role == "user" for message in messages[:-1]):
            raise ValueError(t("the conversation has an answer, but no question before it"))
        return messages[:-1], messages[-1].content

    return read


def _listed(talk: Any) -> Any:
    """A list of messages; the datasets library may keep it as a list of the roles and one of the contents."""
    if not isinstance(talk, Mapping) or not talk or not all(isinstance(values, list) for values in talk.values()):
        return talk
    if len(set(map(len, talk.values()))) > 1:
        return talk
    return [dict(zip(talk, each, strict=True)) for each in zip(*talk.values(), strict=True)]


def _of_instruction(fields: Mapping[str, Any]) -> tuple[list[Message], str | None]:
    asked = [part for name in ("instruction", "input") if (part := _text(fields, name)).strip()]
    if not asked:
        raise ValueError(t('"{name}" is empty', name="instruction"))
    messages = [*system_of(fields), *_history(fields), Message("user", "\n\n".join(asked))]
    answer = _text(fields, "output")
    return messages, answer if answer.strip() else None


def system_of(fields: Mapping[str, Any]) -> list[Message]:
    """What the column `system` of a row says, as a message; none where it says nothing."""
    text = _text(fields, "system")
    return [Message("system", text)] if text.strip() else []


def _history(fields: Mapping[str, Any]) -> list[Message]:
    """Earlier questions with their answers."""
    rounds = fields.get("history") or []
    if not isinstance(rounds, list):
        raise ValueError(t('"{name}" should be a list of [question, answer]', name="history"))
    messages = []
    for each in rounds:
        if (
            not isinstance(each, list)
            or len(each) != 2
            or not all(isinstance(part, str) and part.strip() for part in each)
        ):
            raise ValueError(t('"{name}" should be a list of [question, answer]', name="history"))
        messages += [Message("user", each[0]), Message("assistant", each[1])]
    return messages


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ValueError(t('"{name}" is no text', name=name))
    return value


def _refuse_gaps(table: Table, answers: list[str | None]) -> None:
    for row, answer in enumerate(answers):
        if answer is None:
            raise wrong_row(table, row, None, t("there is no answer, and other rows have one"))


def wrong_row(table: Table, row: int, field: str | None, reason: str) -> DataError:
    """What is raised for a row that cannot be read."""
    return DataError(
        t("{place}: {reason}.", place=table.place(row, field), reason=reason),
        t("Correct the row, or leave it out of the file."),
    )


def free_name(name: str, taken: Mapping[str, Any]) -> str:
    """`name`, or with an underscore behind it if the conversation has it."""
    return f"{name}_" if name in taken else name


READ: dict[str, Callable[[Mapping[str, Any]], tuple[list[Message], str | None]]] = {
    "messages": _of_messages("messages"),
    "conversations": _of_messages("conversations"),
    "instruction": _of_instruction,
}
USED = {
    "messages": {"messages", "system"},
    "conversations": {"conversations", "system"},
    "instruction": {"instruction", "input", "output", "system", "history"},
}
"""The columns that become text and label."""
