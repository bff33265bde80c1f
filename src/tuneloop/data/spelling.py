"""Slips that need no model: words that no list has, words written twice, blanks before marks, small first letters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHORTEST = 4
"""Letters of a word in which any slip is looked for; in one of three only two exchanged letters are."""

COMMON = 200
"""Words, the most frequent ones, that one of three letters is taken for."""

ENDINGS = ("'s", "s", "es", "ed", "d", "ing", "ly", "er", "est", "ness", "able", "ful", "less")
STARTS = ("un", "re", "non", "pre", "over", "mis", "dis", "anti", "self")
VERBS = ("do", "does", "did", "is", "are", "was", "were", "have", "has", "had", "would", "could", "should")
NEGATED = {f"{verb}nt": f"{verb}n't" for verb in VERBS}
WORD = re.compile(r"(?<![\w@./#<\\$-])[a-z]+(?:'[a-z]+)?(?![\w@/#-]|\.\w)")
RULES = (
    (re.compile(r"\b([A-Za-z]+) \1\b(?<!\bhad had)(?<!\bthat that)"), r"\1"),
    (re.compile(r"(?<=\w) +([,;:!?]|\.(?!\w))"), r"\1"),
    (re.compile(r"\bi\b(?=[ '])(?!\.)"), "I"),
)


class Speller:
    """Corrects words that are not in a list to the most frequent one that is one slip away (after Norvig 2007).

    Words with a capital, a digit or a sign in them are left alone: names, numbers, addresses and code never change.

    Args:
        words: in small letters, the most frequent first.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._rank: dict[str, int] = {}
        for word in words:
            self._rank.setdefault(word, len(self._rank))

    def correct(self, text: str) -> str:
        """The text without the slips that are certain enough."""
        for pattern, better in RULES:
            text = pattern.sub(better, text)
        return _capitals(WORD.sub(lambda match: self.word(match[0]), text))

    def word(self, word: str) -> str:
        """The word that is meant; the same where it is known or none is near."""
        if word in NEGATED:
            return NEGATED[word]
        if len(word) < SHORTEST - 1 or "'" in word or self._known(word):
            return word
        most = len(self._rank) if len(word) >= SHORTEST else COMMON
        made = _edits(word) if len(word) >= SHORTEST else _exchanges(word)
        near = (each for each in made if self._rank.get(each, most) < most)
        # slips seldom touch the first letter: "adress" is no dress
        return min(near, key=lambda each: (each[0] != word[0], self._rank[each]), default=word)

    def _known(self, word: str) -> bool:
        """Whether it is a word of the list, or one of them with endings and beginnings."""
        stems = {word, *_stems(word)}
        return any(stem in self._rank for stem in stems.union(*map(_stems, stems)))


def vocabulary_words(folder: Path) -> list[str]:
    """The whole words in the vocabulary of an uncased WordPiece tokenizer, which lists the most frequent first.

    Args:
        folder: of a model with tokenizer.json.

    Raises:
        DataError: if it has no such vocabulary.
    """
    try:
        model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        vocabulary, pieces = model["vocab"], model.get("continuing_subword_prefix")
        words = sorted(vocabulary, key=vocabulary.__getitem__)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pieces = None
    if not pieces:
        raise DataError(
            t("{folder} has no vocabulary of whole words.", folder=folder.name),
            t("Give the folder of an uncased BERT model."),
        )
    return [word for word in words if len(word) > 1 and word.isascii() and word.isalpha()]


def _exchanges(word: str) -> Iterator[str]:
    """Words with two neighbouring letters exchanged."""
    return (word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1))


def _edits(word: str) -> Iterator[str]:
    """Words that are one slip away: two letters exchanged, one left out, too much, or wrong."""
    yield from _exchanges(word)
    for place in range(len(word) + 1):
        start, end = word[:place], word[place:]
        if end:
            yield start + end[1:]
        for letter in LETTERS:
            yield start + letter + end
            if end:
                yield start + letter + end[1:]


def _stems(word: str) -> Sequence[str]:
    """What is left without endings and beginnings, with the letters that endings change."""
    found = [word.removeprefix(start) for start in STARTS if word.startswith(start) and len(word) > len(start) + 2]
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            found += [stem, stem + "e"]
            found += [stem[:-1]] if stem[-1:] == stem[-2:-1] else []  # stopped
            found += [stem[:-1] + "y"] if stem.endswith("i") else []  # happily
    return found


def _capitals(text: str) -> str:
    """A capital where a text or a sentence begins."""
    text = re.sub(r"^[a-z](?=[a-z']* )", lambda match: match[0].upper(), text)
    return re.sub(r"(?<=[a-z][a-z][.!?] )[a-z](?=[a-z']*[ ,.!?])", lambda match: match[0].upper(), text)
