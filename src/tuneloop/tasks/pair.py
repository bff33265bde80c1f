"""Two texts and one class: paraphrase, entailment, question and answer."""

from __future__ import annotations

from tuneloop.tasks.classification import Classification


class PairClassification(Classification):
    """Single-label classification of a text and its pair; the model reads both together."""

    name = "pair"
    takes_pairs = True
