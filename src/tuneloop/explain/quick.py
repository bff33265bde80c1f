"""Which explanation is quick enough to follow somebody who types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneloop.explain.units import units_of

if TYPE_CHECKING:
    from tuneloop.data.examples import Input

EXACT_WORDS, EXACT_ANSWERS = 6, 64
"""Words of which all sets are asked for: 64 answers, not many more than one for each word of a longer text."""


def quick_method(item: Input) -> tuple[str, dict[str, Any]]:
    """An explainer and its options: exact Shapley values of a few words, of more what each does by itself."""
    if len(units_of(item)) <= EXACT_WORDS:
        return "shapley", {"answers": EXACT_ANSWERS}
    return "occlusion", {}
