"""The files of WordNet 3 as Princeton and Debian (`wordnet-base`) give them: what a word may mean, and what means it.

Source: Fellbaum (ed.), "WordNet: An Electronic Lexical Database" (1998); format: wndb(5WN).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PARTS = ("noun", "verb", "adj", "adv")
LETTERS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}


@dataclass(frozen=True)
class Synset:
    """Words of one meaning.

    Args:
        words: in the order of the file, with their capitals.
        pointers: to other synsets: kind, part of speech, offset, number of the word it starts from (0 for all of
            them), number of the word it ends at (0 for all).
    """

    words: tuple[str, ...]
    pointers: tuple[tuple[str, str, int, int, int], ...]


def wordnet_folder() -> Path | None:
    """Where the environment variables of WordNet say, or where Debian has it; None if it is not there."""
    home = os.environ.get("WNHOME")
    for place in filter(None, [os.environ.get("WNSEARCHDIR"), home and f"{home}/dict", "/usr/share/wordnet"]):
        if all((Path(place) / f"{kind}.{part}").is_file() for part in PARTS for kind in ("index", "data")):
            return Path(place)
    return None


@cache
def read_senses(folder: Path) -> dict[str, list[tuple[str, list[int]]]]:
    """The synsets of every single word: (part of speech, offsets), the usual meaning of each part first."""
    senses: dict[str, list[tuple[str, list[int]]]] = {}
    for part in PARTS:
        for line in (folder / f"index.{part}").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(" ") or "_" in line.split(" ", 1)[0]:
                continue
            fields = line.split()
            senses.setdefault(fields[0], []).append((part, [int(each) for each in fields[-int(fields[2]) :]]))
    return senses


@cache
def read_synset(folder: Path, part: str, offset: int) -> Synset:
    """The synset of a part of speech that begins at this byte."""
    with (folder / f"data.{part}").open("rb") as file:
        file.seek(offset)
        fields = file.readline().decode("ascii", "replace").split()
    count = int(fields[3], 16)
    rest = fields[5 + 2 * count :]
    pointers = tuple(
        (rest[at], LETTERS[rest[at + 2]], int(rest[at + 1]), int(rest[at + 3][:2], 16), int(rest[at + 3][2:], 16))
        for at in range(0, 4 * int(fields[4 + 2 * count]), 4)
    )
    return Synset(tuple(word.partition("(")[0] for word in fields[4 : 4 + 2 * count : 2]), pointers)
