"""Words and word pairs as TF-IDF features: the cheap view of a text that needs no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tuneloop.data.examples import Input

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Characters of scripts that put no space between words."""


def vectorizer(inputs: Sequence[Input], *, sample: int = 1000) -> TfidfVectorizer:
    """An unfitted TF-IDF vectorizer that suits these texts.

    Words and word pairs, or runs of one to three characters where most of the first `sample` texts
    are written without spaces (Chinese, Japanese).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [flat(item) for item in inputs[:sample]]
    unspaced = sum(1 for text in texts if len(UNSPACED.findall(text)) > 0.3 * len(text))
    if unspaced > len(texts) / 2:
        return TfidfVectorizer(preprocessor=flat, analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    # \w+ keeps one-letter words such as "I"; the default drops them
    return TfidfVectorizer(preprocessor=flat, token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), sublinear_tf=True)


def flat(item: Input) -> str:
    """A text, or a text and its pair on two lines, in lower case."""
    return (item if isinstance(item, str) else "\n".join(item)).lower()
