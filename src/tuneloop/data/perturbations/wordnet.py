"""English words whose usual meaning is the same, by WordNet and the counts of its texts: cntlist(5WN)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import word_data
from tuneloop.data.wordnet import read_senses, read_synset, wordnet_folder

NUMBERS = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
"""How cntlist.rev calls parts of speech; the last are adjectives that stand around another, which index.adj has."""
SURE = 0.75
"""Share of the uses of a word, in the texts that WordNet was counted on, that its usual meaning must have."""
SEEN = 3
"""Uses from which on that share is believed."""


@dataclass(frozen=True)
class WordNet:
    """The index and the counts of WordNet.

    Args:
        folder: with the files of WordNet.
        senses: the synsets of a word as (part of speech, offset), the usual meaning of each part first.
        counts: how often each meaning of a word was seen, by (word, part of speech), the usual meaning first.
    """

    folder: Path
    senses: dict[str, list[tuple[str, list[int]]]]
    counts: dict[tuple[str, str], list[int]]

    def synonyms(self, word: str) -> list[str]:
        """Single words that mean the same; none for a word of several meanings, an inflected or a function word."""
        if word in word_data("function_words") or word not in self.senses:
            return []
        seen = {part: self.counts.get((word, part), []) for part, _ in self.senses[word]}
        part, offsets = max(self.senses[word], key=lambda each: max(seen[each[0]], default=0))
        usual, total = max(seen[part], default=0), sum(map(sum, seen.values()))
        alone = len(self.senses[word]) == 1 and len(offsets) == 1
        if not alone and (usual < SEEN or usual < SURE * total):
            return []
        lemmas = [
            each for each in read_synset(self.folder, part, offsets[0]).words if each.isalpha() and each.islower()
        ]
        return [lemma for lemma in lemmas if lemma != word and self._means(lemma, part, offsets[0])]

    def _means(self, word: str, part: str, offset: int) -> bool:
        """Whether this is the usual meaning of a word as this part of speech."""
        return any(own == part and offsets[0] == offset for own, offsets in self.senses.get(word, ()))


def open_wordnet() -> WordNet:
    """WordNet with its counts, see `wordnet_folder`.

    Raises:
        ConfigError: if it is not there.
    """
    folder = wordnet_folder()
    if folder is None:
        raise ConfigError(
            t("Synonyms need the files of WordNet 3, which are not on this machine."),
            t("Install the Debian package wordnet-base, or set WNSEARCHDIR to the folder with index.noun."),
        )
    return WordNet(folder, read_senses(folder), _counts(folder / "cntlist.rev"))


@cache
def _counts(path: Path) -> dict[tuple[str, str], list[int]]:
    """Absent counts are no counts: then only words of one meaning have synonyms."""
    found: dict[tuple[str, str], dict[int, int]] = {}
    lines = path.read_text(encoding="ascii", errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        key, number, count = line.split()
        lemma, _, rest = key.partition("%")
        found.setdefault((lemma, NUMBERS[rest[0]]), {})[int(number)] = int(count)
    return {key: [by_number[number] for number in sorted(by_number)] for key, by_number in found.items()}
