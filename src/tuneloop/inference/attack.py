"""A search for the smallest change of words that breaks an answer, by asking the model alone.

Words are ranked by how much the right answer loses without them, and changed in this order, each in the way that hurts
most, until the answer breaks: Jin et al., "Is BERT Really Robust?" (2020), with changes of the kinds that are named
instead of counter-fitted synonyms. All rows are searched side by side, so that the model sees large batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.perturbations.base import CHARACTER, WORD, UnitPerturbation, replaced, script_of
from tuneloop.inference.changed import answered, text_of, with_text

if TYPE_CHECKING:
    import re

    from tuneloop.data.examples import Label
    from tuneloop.tasks.base import ModelHandle, Prediction

CANDIDATES = 5
"""Variants of a word that each kind of change may offer."""
MOST_UNITS = 60
"""Words or characters of a text that are looked at: the first ones."""


@dataclass
class Attempt:
    """The search on one text.

    Args:
        item: the input.
        label: its right answer.
        share: of the words that may be changed.
        random: which variants are tried where there are many.
    """

    item: Input
    label: Label
    share: float
    random: np.random.Generator
    changes: dict[int, str] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    probability: float = 1.0
    queries: int = 0
    broken: Prediction | None = None

    def __post_init__(self) -> None:
        pattern = CHARACTER if script_of(text_of(self.item)) == "zh" else WORD
        self.units: list[re.Match[str]] = list(pattern.finditer(text_of(self.item)))[:MOST_UNITS]

    @property
    def most_changes(self) -> int:
        """How many words may be changed."""
        return max(1, int(self.share * len(self.units)))

    @property
    def over(self) -> bool:
        """Whether the answer is broken, or no change is left."""
        return self.broken is not None or not self.order or len(self.changes) >= self.most_changes

    def without(self) -> list[Input]:
        """The text without each of its words."""
        return [with_text(self.item, replaced(text_of(self.item), [(unit, "")])) for unit in self.units]

    def changed(self, more: dict[int, str]) -> Input:
        """The text with the changes so far and some more."""
        changes = sorted((self.changes | more).items())
        return with_text(self.item, replaced(text_of(self.item), [(self.units[at], new) for at, new in changes]))

    def candidates(self, perturbations: Sequence[UnitPerturbation]) -> dict[Input, str]:
        """What the next word may become, by the text that this makes."""
        at, text = self.order[0], text_of(self.item)
        found: dict[Input, str] = {}
        for perturbation in perturbations:
            if not perturbation.suits(text) or perturbation.unit not in (WORD, CHARACTER):
                continue
            variants = perturbation.variants(self.units[at].group())
            if len(variants) > CANDIDATES:
                picked = self.random.choice(len(variants), CANDIDATES, replace=False)
                variants = [variants[number] for number in sorted(picked)]
            found |= {self.changed({at: variant}): variant for variant in variants}
        return found

    def take(self, candidates: dict[Input, str], found: dict[Input, Prediction]) -> None:
        """The candidate that hurts most, if it hurts at all."""
        self.queries += len(candidates)
        at = self.order.pop(0)
        if not candidates:
            return
        hurts = {item: found[item].probabilities[str(self.label)] for item in candidates}
        breaking = [item for item in candidates if found[item].label != self.label]
        best = min(breaking or candidates, key=hurts.__getitem__)
        if breaking or hurts[best] < self.probability:
            self.changes[at], self.probability = candidates[best], hurts[best]
        if breaking:
            self.broken = found[best]


def attack(
    model: ModelHandle,
    items: Sequence[Input],
    labels: Sequence[Label],
    *,
    perturbations: Sequence[UnitPerturbation],
    words_share: float,
    random: Callable[[int], np.random.Generator],
    tell: Callable[[str], None] = lambda note: None,
) -> list[Attempt]:
    """The search on every input, which the model must answer rightly.

    Args:
        words_share: share of the words of a text that may be changed, one at least.
        random: a generator for each number of an input.
    """
    attempts = [
        Attempt(item, label, words_share, random(number))
        for number, (item, label) in enumerate(zip(items, labels, strict=True))
    ]
    tell(t("which words matter"))
    found = answered(model, [*items, *(item for each in attempts for item in each.without())])
    for each in attempts:
        each.probability = found[each.item].probabilities[str(each.label)]
        left = [found[item].probabilities[str(each.label)] for item in each.without()]
        each.order = np.argsort(left, kind="stable").tolist()
        each.queries = len(left)
    active = [each for each in attempts if not each.over]
    while active:
        tell(t("attack: {count} texts still hold", count=sum(each.broken is None for each in attempts)))
        offers = [each.candidates(perturbations) for each in active]
        found = answered(model, [item for offer in offers for item in offer])
        for each, offer in zip(active, offers, strict=True):
            each.take(offer, found)
        active = [each for each in active if not each.over]
    return attempts
