"""A folder of YAML files with conversations, as the ChatterBot corpus keeps them."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.data.readers.table import Table


def read_dialogues(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """A table with one row per conversation: `text`, `label` as `readers.chat` has them; `topic`, the name of the file.

    What is said stands in turns, the first is the user's; a last turn that nobody answers is left out. Numbers and
    words such as Yes are texts, as written.

    Raises:
        DataError: with the file, if it is no YAML with a list of `conversations`.
    """
    rows = [
        (turns, file.stem)
        for file in sorted(path.glob("*.yml"))
        for turns in map(_turns, _conversations(file, encoding))
        if turns
    ]
    columns: dict[str, list[Any]] = {
        "text": [
            [{"role": ("user", "assistant")[number % 2], "content": turn} for number, turn in enumerate(turns[:-1])]
            for turns, _ in rows
        ],
        "label": [turns[-1] for turns, _ in rows],
        "topic": [topic for _, topic in rows],
    }
    return Table(path, columns, range(1, len(rows) + 1), None, encoding)


def _conversations(file: Path, encoding: str) -> list[Any]:
    text, _ = decode(file.read_bytes(), path=file, encoding=encoding)
    try:
        # the base loader makes nothing but texts, lists and mappings
        value = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(
            t("{path} is not valid YAML: {error}", path=file, error=" ".join(str(error).split())),
            t("Check the indentation and the quotes at that place."),
        ) from None
    found = value.get("conversations") if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise DataError(
            t("{file} holds no list of conversations.", file=file.name),
            t("Write it as the files of the ChatterBot corpus, or leave it out of the folder."),
        )
    return found


def _turns(conversation: Any) -> list[str]:
    """An even number of turns; none if nothing is answered."""
    given = conversation if isinstance(conversation, list) else []
    turns = [turn.strip() for turn in takewhile(lambda turn: isinstance(turn, str) and turn.strip(), given)]
    return turns[: len(turns) // 2 * 2]
