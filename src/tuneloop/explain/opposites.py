"""Words of the opposite and of the same meaning, from the files of WordNet where they are on this machine.

Source: Fellbaum (ed.), "WordNet: An Electronic Lexical Database" (1998); formats: wndb(5WN).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PARTS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
FILES = ("noun", "verb", "adj", "adv")
ANTONYM, SIMILAR = "!", "&"


@dataclass(frozen=True)
class Synset:
    """Words of one meaning.

    Args:
        words: in the order of the file.
        pointers: to other synsets: kind, part of speech, offset, number of the word it starts from (0 for all of
            them), number of the word it ends at (0 for all).
    """

    words: tuple[str, ...]
    pointers: tuple[tuple[str, str, int, int, int], ...]


@dataclass(frozen=True)
class Opposites:
    """What may stand in place of an English word.

    Args:
        folder: with the files of WordNet.
        senses: the synsets of a word as (part of speech, offset).
    """

    folder: Path
    senses: dict[str, list[tuple[str, int]]]

    def antonyms(self, word: str) -> list[str]:
        """Single words of the opposite meaning; those of an adjective that this one is a kind of come last."""
        near: list[str] = []
        far: list[str] = []
        for part, offset in self.senses.get(word, ()):
            synset = self._synset(part, offset)
            near += self._opposed(synset, word)
            for kind, other, place, *_ in synset.pointers:
                if kind == SIMILAR:
                    far += self._opposed(self._synset(other, place), None)
        return [each for each in dict.fromkeys(near + far) if each != word]

    def synonyms(self, word: str) -> list[str]:
        """Single words that can mean the same, in the order of the meanings."""
        found = [each for part, offset in self.senses.get(word, ()) for each in self._synset(part, offset).words]
        return [each for each in dict.fromkeys(found) if each != word and each.isalpha()]

    def alike(self, word: str, other: str) -> bool:
        """Whether one may stand where the other does: both are the same part of speech, or the word is not known."""
        parts = {part for part, _ in self.senses.get(word, ())}
        return not parts or bool(parts & {part for part, _ in self.senses.get(other, ())})

    def _opposed(self, synset: Synset, word: str | None) -> Iterator[str]:
        for kind, part, offset, start, end in synset.pointers:
            if kind != ANTONYM or (word and start and synset.words[start - 1] != word):
                continue
            words = self._synset(part, offset).words
            yield from (each for each in (words[end - 1 : end] if end else words) if each.isalpha())

    def _synset(self, part: str, offset: int) -> Synset:
        return _read_synset(self.folder / f"data.{part}", offset)


def find_opposites() -> Opposites | None:
    """WordNet from where its environment variables say, or from where Debian has it; None if it is not there."""
    home = os.environ.get("WNHOME")
    for place in filter(None, [os.environ.get("WNSEARCHDIR"), home and f"{home}/dict", "/usr/share/wordnet"]):
        if all((Path(place) / f"{kind}.{part}").is_file() for part in FILES for kind in ("index", "data")):
            return _read(Path(place))
    return None


@cache
def _read(folder: Path) -> Opposites:
    senses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for part in FILES:
        for line in (folder / f"index.{part}").read_text(encoding="ascii", errors="replace").splitlines():
            fields = line.split()
            if line.startswith(" ") or not fields[0].isalpha():
                continue
            senses[fields[0]] += [(part, int(each)) for each in fields[-int(fields[2]) :]]
    return Opposites(folder, dict(senses))


@cache
def _read_synset(path: Path, offset: int) -> Synset:
    with path.open("rb") as file:
        file.seek(offset)
        fields = file.readline().decode("ascii", "replace").split()
    count = int(fields[3], 16)
    words = tuple(word.partition("(")[0].lower() for word in fields[4 : 4 + 2 * count : 2])
    rest = fields[5 + 2 * count :]
    pointers = tuple(
        (rest[at], PARTS[rest[at + 2]], int(rest[at + 1]), int(rest[at + 3][:2], 16), int(rest[at + 3][2:], 16))
        for at in range(0, 4 * int(fields[4 + 2 * count]), 4)
    )
    return Synset(words, pointers)
