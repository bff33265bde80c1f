"""Words of the opposite and of the same meaning, by WordNet where its files are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuneloop.data.wordnet import Synset, read_senses, read_synset, wordnet_folder

ANTONYM, SIMILAR = "!", "&"


@dataclass(frozen=True)
class Opposites:
    """What may stand in place of an English word.

    Args:
        folder: with the files of WordNet.
    """

    folder: Path

    def antonyms(self, word: str) -> list[str]:
        """Single words of the opposite meaning; those of an adjective that this one is a kind of come last."""
        near: list[str] = []
        far: list[str] = []
        for part, offset in self._senses(word):
            synset = self._synset(part, offset)
            near += self._opposed(synset, word)
            for kind, other, place, *_ in synset.pointers:
                if kind == SIMILAR:
                    far += self._opposed(self._synset(other, place), None)
        return [each for each in dict.fromkeys(near + far) if each != word]

    def synonyms(self, word: str) -> list[str]:
        """Single words that can mean the same, in the order of the meanings."""
        found = [each for part, offset in self._senses(word) for each in self._words(self._synset(part, offset))]
        return [each for each in dict.fromkeys(found) if each != word and each.isalpha()]

    def alike(self, word: str, other: str) -> bool:
        """Whether one may stand where the other does: both are the same part of speech, or the word is not known."""
        parts = {part for part, _ in self._senses(word)}
        return not parts or bool(parts & {part for part, _ in self._senses(other)})

    def _opposed(self, synset: Synset, word: str | None) -> Iterator[str]:
        for kind, part, offset, start, end in synset.pointers:
            if kind != ANTONYM or (word and start and self._words(synset)[start - 1] != word):
                continue
            words = self._words(self._synset(part, offset))
            yield from (each for each in (words[end - 1 : end] if end else words) if each.isalpha())

    def _senses(self, word: str) -> list[tuple[str, int]]:
        """The synsets of a word of letters alone: part of speech, offset."""
        found = read_senses(self.folder).get(word, ()) if word.isalpha() else ()
        return [(part, offset) for part, offsets in found for offset in offsets]

    def _synset(self, part: str, offset: int) -> Synset:
        return read_synset(self.folder, part, offset)

    @staticmethod
    def _words(synset: Synset) -> list[str]:
        return [word.lower() for word in synset.words]


def find_opposites() -> Opposites | None:
    """Those of WordNet; None if it is not there."""
    folder = wordnet_folder()
    return None if folder is None else Opposites(folder)
