"""How far passages bear out what is said or asked: the one measure of evidence, for abstaining and for faithfulness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log

from tuneloop.data.numbers import numbers_of
from tuneloop.knowledge.words import content_words, pairs, words

SIMILARITY_SHARE = 0.5
PAIRS_SHARE = 0.25

Weight = Callable[[str], float]


@dataclass(frozen=True)
class Support:
    """What a passage says for a text.

    Args:
        passage: its number, from 0.
        coverage: share of the text's content words that stand in it, by their weights, 0 to 1.
        similarity: cosine of the text and the passage; None where there are no vectors.
        unknown_numbers: numbers of the text that do not stand in this passage.
        trust: what the similarity counts, 0 to 1.
    """

    passage: int
    coverage: float
    similarity: float | None
    unknown_numbers: tuple[str, ...]
    trust: float = 1.0

    @property
    def score(self) -> float:
        """Coverage and similarity, half each, 0 to 1; coverage alone where there are no vectors to trust."""
        share = 0.0 if self.similarity is None else SIMILARITY_SHARE * self.trust
        return (1 - share) * self.coverage + share * max(self.similarity or 0.0, 0.0)


def support(
    text: str,
    passages: Sequence[str],
    *,
    weight: Weight | None = None,
    similarities: Sequence[float] | None = None,
    trust: float = 1.0,
    in_order: bool = False,
) -> Support:
    """How far the passage that bears out a text most does so; see `supports` for the arguments and errors."""
    found = supports(text, passages, weight=weight, similarities=similarities, trust=trust, in_order=in_order)
    return max(found, key=lambda each: each.score)


def supports(
    text: str,
    passages: Sequence[str],
    *,
    weight: Weight | None = None,
    similarities: Sequence[float] | None = None,
    trust: float = 1.0,
    in_order: bool = False,
) -> list[Support]:
    """How far each passage bears out a text, (passages,).

    Args:
        text: a question, or a sentence of an answer.
        passages: one at least.
        weight: what a word counts, see `rarity`; all the same by default.
        similarities: cosines of the text and each passage, (passages,).
        trust: what the similarities count, see `fusion.understood`.
        in_order: also ask for words that follow each other, as a statement needs them: a quarter of the coverage.

    Raises:
        ValueError: if there are no passages.
    """
    if not passages:
        raise ValueError("support needs a passage")
    wanted = content_words(text)
    follow = pairs(words(text)) if in_order else set()
    numbers = dict.fromkeys(numbers_of(text))
    found = []
    for number, passage in enumerate(passages):
        offered = words(passage)
        covered = _share(wanted, set(offered), weight)
        if follow:
            covered = (1 - PAIRS_SHARE) * covered + PAIRS_SHARE * len(follow & pairs(offered)) / len(follow)
        similarity = None if similarities is None else float(similarities[number])
        known = set(numbers_of(passage, articles=True)) if numbers else set()
        unknown = tuple(each for each in numbers if each not in known)
        found.append(Support(number, covered, similarity, unknown, trust))
    return found


def rarity(frequencies: dict[str, int], chunks: int) -> Weight:
    """The weight of a word: high if it stands in few of the chunks; a word in none of them counts as one in one."""
    return lambda word: log(1 + (chunks + 1) / max(frequencies.get(word, 0), 1))


def _share(wanted: Sequence[str], offered: set[str], weight: Weight | None) -> float:
    """The share of the wanted words that are offered, by weight; 0 if none is wanted."""
    sizes = [weight(word) if weight else 1.0 for word in wanted]
    there = sum(size for word, size in zip(wanted, sizes, strict=True) if word in offered)
    return there / sum(sizes) if sizes else 0.0
