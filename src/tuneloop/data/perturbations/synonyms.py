"""English words with the same meaning, by WordNet."""

from __future__ import annotations

from typing import ClassVar

from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import Script, UnitPerturbation, like
from tuneloop.data.perturbations.wordnet import open_wordnet


class Synonyms(UnitPerturbation):
    """A word of the same WordNet synset, where a word has one meaning that is far more common than its others."""

    name: ClassVar[str] = "synonyms"
    script: ClassVar[Script] = "en"
    needs: ClassVar[str] = "WordNet"

    def __init__(self) -> None:
        self.wordnet = open_wordnet()

    def variants(self, unit: str) -> list[str]:
        """The other words of its synset."""
        return [like(other, unit) for other in self.wordnet.synonyms(unit.lower())]

    @classmethod
    def title(cls) -> str:
        """What it is called."""
        return t("synonyms")
