"""Which of some texts are most like another one, by the words they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.data.bag_of_words import vectorizer
from tuneloop.data.examples import Input

if TYPE_CHECKING:
    FloatArray = np.ndarray[Any, np.dtype[np.float64]]


class Neighbours:
    """Cosines of TF-IDF features between any texts and these; no model is needed.

    Args:
        inputs: the texts to choose from; they also say how rare a word is.
    """

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._count = len(inputs)
        self._features = vectorizer(inputs)
        analyse = self._features.build_analyzer()
        self._has_words = any(analyse(item) for item in inputs)
        if self._has_words:
            self._known = self._features.fit_transform(inputs).T.tocsc()

    def cosines(self, inputs: Sequence[Input]) -> FloatArray:
        """How like each input is to each of the texts, 0 to 1, (inputs, texts)."""
        if not self._has_words:
            return np.zeros((len(inputs), self._count))
        found: FloatArray = (self._features.transform(inputs) @ self._known).toarray()
        return found
