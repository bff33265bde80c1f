"""The files of WordNet 3 as Princeton and Debian (`wordnet-base`) give them: words of one meaning.

Source: Fellbaum (ed.), "WordNet: An Electronic Lexical Database" (1998); formats: wndb(5WN), cntlist(5WN).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import word_data

PARTS = {"noun": "1", "verb": "2", "adj": "3", "adv": "4"}
SATELLITE = "5"
"""How cntlist.rev calls adjectives that stand around another; they are in index.adj."""
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
        lemmas = _lemmas(self.folder / f"data.{part}", offsets[0])
        return [lemma for lemma in lemmas if lemma != word and self._means(lemma, part, offsets[0])]

    def _means(self, word: str, part: str, offset: int) -> bool:
        """Whether this is the usual meaning of a word as this part of speech."""
        return any(own == part and offsets[0] == offset for own, offsets in self.senses.get(word, ()))


def open_wordnet() -> WordNet:
    """WordNet from where its environment variables say, or from where Debian has it.

    Raises:
        ConfigError: if it is not there.
    """
    home = os.environ.get("WNHOME")
    places = [os.environ.get("WNSEARCHDIR"), home and f"{home}/dict", "/usr/share/wordnet"]
    for place in filter(None, places):
        if all((Path(place) / f"{kind}.{part}").is_file() for part in PARTS for kind in ("index", "data")):
            return _read(Path(place))
    raise ConfigError(
        t("Synonyms need the files of WordNet 3, which are not on this machine."),
        t("Install the Debian package wordnet-base, or set WNSEARCHDIR to the folder with index.noun."),
    )


@cache
def _read(folder: Path) -> WordNet:
    senses: dict[str, list[tuple[str, list[int]]]] = {}
    for part in PARTS:
        for line in (folder / f"index.{part}").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(" ") or "_" in line.split(" ", 1)[0]:
                continue
            fields = line.split()
            senses.setdefault(fields[0], []).append((part, [int(each) for each in fields[-int(fields[2]) :]]))
    return WordNet(folder, senses, _counts(folder / "cntlist.rev"))


def _counts(path: Path) -> dict[tuple[str, str], list[int]]:
    """Absent counts are no counts: then only words of one meaning have synonyms."""
    names = {number: part for part, number in PARTS.items()} | {SATELLITE: "adj"}
    found: dict[tuple[str, str], dict[int, int]] = {}
    lines = path.read_text(encoding="ascii", errors="replace").splitlines() if path.is_file() else []
    for line in lines:
        key, number, count = line.split()
        lemma, _, rest = key.partition("%")
        found.setdefault((lemma, names[rest[0]]), {})[int(number)] = int(count)
    return {key: [by_number[number] for number in sorted(by_number)] for key, by_number in found.items()}


@cache
def _lemmas(path: Path, offset: int) -> tuple[str, ...]:
    """The single words in small letters of the synset that begins at this byte."""
    with path.open("rb") as file:
        file.seek(offset)
        fields = file.readline().decode("ascii", "replace").split()
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    plain = (word.partition("(")[0] for word in words)
    return tuple(word for word in plain if word.isalpha() and word.islower())
