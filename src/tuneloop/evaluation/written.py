"""Figures of texts that a model wrote: overlap with the reference, likelihood of the reference, and bad habits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import MissingExtraError
from tuneloop.data.conversation import shortened as shortened_prompt
from tuneloop.data.units import HAN, UNIT
from tuneloop.evaluation.faithful import faithfulness, words_of
from tuneloop.evaluation.intervals import Array
from tuneloop.evaluation.means import Means, Ratios
from tuneloop.tasks.answer_words import same_words, shared_f1
from tuneloop.tasks.written import rows_of_chrf

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples, Label
    from tuneloop.tasks.base import FloatArray

HAN_SHARE = 0.3
"""Share of Chinese characters in the references from which BLEU takes each of them for a word."""

REPEATED = 4
"""Words and signs in a row that count as repeated."""

MOST_SAMPLES = 8
MOST_CHARACTERS = 1000
"""Of each text of a sample."""


class WrittenTexts:
    """Each figure is made of sums over the rows, so that a resample is a matrix product.

    chrF, ROUGE-L, exact match and F1 are means over the texts; BLEU is that of the corpus; repetition, length,
    perplexity and what `faithfulness` gives are ratios of sums over all texts, not means of ratios. A figure with
    nothing to divide by is NaN.

    Args:
        labels: the reference answers, (n,).
        scores: `Written`, (n,).
        contexts: what the answers are to keep to, (n,); without it nothing is said about that.

    Raises:
        MissingExtraError: without sacrebleu or rapidfuzz.
    """

    def __init__(self, labels: Sequence[Label], scores: FloatArray, contexts: Sequence[str] | None = None) -> None:
        references, texts = list(map(str, labels)), texts_of(scores)
        pairs = list(zip(texts, references, strict=True))
        repeats, units = zip(*map(_repeats, texts), strict=True)
        words = np.array([[len(UNIT.findall(text)) for text in pair] for pair in pairs])
        ones = np.ones(len(texts))
        ratios: dict[str, tuple[Any, Any]] = {
            "chrf": (rows_of_chrf(labels, scores), ones),
            "rouge_l": ([rouge_l(*pair) for pair in pairs], ones),
            "token_f1": ([shared_f1(*pair) for pair in pairs], ones),
            "exact_match": ([same_words(*pair) for pair in pairs], ones),
            "log_likelihood": _likelihoods(scores),
            "length_ratio": (words[:, 0], words[:, 1]),
            "repetition": (repeats, units),
            "unfinished": ([not each.finished for each in scores], ones),
        }
        if contexts is not None:
            ratios |= faithfulness(texts, contexts)
        if not np.any(ratios["log_likelihood"][1]):
            del ratios["log_likelihood"]
        self._ratios = Ratios(ratios)
        self._bleu = bleu_counts(texts, references)

    def values(self) -> dict[str, float]:
        """Each figure of the rows as they are."""
        return {name: float(found[0]) for name, found in self.resample(np.ones((1, len(self._bleu)))).items()}

    def resample(self, weights: Array) -> dict[str, Array]:
        """Each figure of each resample; weights (resamples, rows), figures (resamples,)."""
        found = self._ratios.resample(weights)
        if "log_likelihood" in found:
            with np.errstate(over="ignore"):
                found["perplexity"] = np.exp(-found.pop("log_likelihood"))
        return {"chrf": found.pop("chrf"), "bleu": corpus_bleu(weights @ self._bleu)} | found


def texts_of(scores: FloatArray) -> list[str]:
    """What was written, (n,)."""
    return [each.text for each in scores]


def rouge_l(text: str, reference: str) -> float:
    """F of the longest common subsequence of words, 0 to 1; each Chinese or Japanese character is one.

    Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), without stemming. Of ASCII texts it is what
    rouge-score gives with its own tokenizer, which takes the square of the length in Python.

    Raises:
        MissingExtraError: without rapidfuzz.
    """
    numbers: dict[str, int] = {}
    written, meant = ([numbers.setdefault(word, len(numbers)) for word in words_of(each)] for each in (text, reference))
    common = _common()(written, meant)
    if not common:
        return 0.0
    precision, recall = common / len(written), common / len(meant)
    return float(2 * precision * recall / (precision + recall))


def bleu_tokenizer(references: Sequence[str]) -> str:
    """The name that sacrebleu has for the tokenizer that suits these references: "zh" or "13a"."""
    letters = "".join(character for text in references for character in text if character.isalnum())
    return "zh" if len(re.findall(f"[{HAN}]", letters)) > HAN_SHARE * len(letters) else "13a"


def bleu_counts(texts: Sequence[str], references: Sequence[str]) -> Array:
    """What BLEU is made of, of each row: both lengths, then the right and all runs of 1 to 4 words, (n, 10)."""
    scorer = _bleu(bleu_tokenizer(references))
    found = [scorer.sentence_score(text, [reference]) for text, reference in zip(texts, references, strict=True)]
    return np.array([[one.sys_len, one.ref_len, *one.counts, *one.totals] for one in found], np.float64)


def corpus_bleu(counts: Array) -> Array:
    """BLEU from summed `bleu_counts`, (resamples, 10) to (resamples,), 0 to 1.

    Papineni et al., "BLEU" (2002), with the exponential smoothing that is sacrebleu's default: Chen and Cherry, "A
    Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU" (2014), method 3.
    """
    written, meant, right, every = counts[:, 0], counts[:, 1], counts[:, 2:6], counts[:, 6:]
    missed = right == 0
    halved = 0.5 ** np.cumsum(missed, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(missed, halved, right) / every
        brevity = np.exp(np.minimum(0, 1 - meant / written))
        score = brevity * np.exp(np.log(precisions).mean(axis=1))
    return np.where(missed.all(axis=1) | (every == 0).any(axis=1), 0.0, score)


def bleu_signature(references: Sequence[str]) -> str:
    """What another needs to know to get the same BLEU, as sacrebleu writes it."""
    import sacrebleu

    return f"tok:{bleu_tokenizer(references)}|smooth:exp|version:{sacrebleu.__version__}"


def paired_likelihoods(a: FloatArray, b: FloatArray) -> tuple[Means, Means] | None:
    """The log-likelihood per token of the references under two models.

    None if one of them lacks it for a row, or if they cut the references into other tokens: then the figures do not
    mean the same.
    """
    if any(one.log_likelihood is None or one.tokens != other.tokens for one, other in zip(a, b, strict=True)):
        return None
    if any(each.log_likelihood is None for each in b) or not any(each.tokens for each in a):
        return None
    first, second = (_per_token(scores) for scores in (a, b))
    return first, second


def samples(examples: Examples, scores: FloatArray, base: FloatArray | None) -> list[dict[str, Any]]:
    """Prompt, reference, answer, and the answer of the model before tuning (None without one) of evenly spread rows."""
    rows = np.unique(np.linspace(0, len(examples) - 1, min(MOST_SAMPLES, len(examples))).round().astype(int)).tolist()
    return [
        {
            "id": examples.ids[row],
            "text": shortened_prompt(examples.texts[row], MOST_CHARACTERS),
            "reference": shortened(str(examples.labels[row]), MOST_CHARACTERS),
            "answer": shortened(scores[row].text, MOST_CHARACTERS),
            "base": None if base is None else shortened(base[row].text, MOST_CHARACTERS),
        }
        for row in rows
    ]


def shortened(text: str, most: int) -> str:
    """The first `most` characters, and a sign that there were more."""
    return text if len(text) <= most else text[:most] + "…"


def _per_token(scores: FloatArray) -> Means:
    sums, tokens = map(np.array, _likelihoods(scores))
    return Means({"log_likelihood": sums / np.maximum(tokens, 1)}, tokens)


def _likelihoods(scores: FloatArray) -> tuple[list[float], list[int]]:
    """Log-likelihood and tokens of each reference, both 0 where it is not known."""
    known = [(each.log_likelihood, each.tokens) if each.log_likelihood is not None else (0.0, 0) for each in scores]
    return [value for value, _ in known], [tokens for _, tokens in known]


def _repeats(text: str) -> tuple[int, int]:
    """How many of a text's runs of four words and signs stood in it before, and how many there are.

    Welleck et al., "Neural Text Generation with Unlikelihood Training" (2020), section 6.
    """
    units = UNIT.findall(text.lower())
    runs = [tuple(units[start : start + REPEATED]) for start in range(len(units) - REPEATED + 1)]
    return len(runs) - len(set(runs)), len(runs)


@cache
def _common() -> Any:
    """The length of the longest common subsequence of two lists."""
    try:
        from rapidfuzz.distance.LCSseq import similarity
    except ImportError as error:
        raise MissingExtraError(error.name or "rapidfuzz", "generation") from None
    return similarity


@cache
def _bleu(tokenizer: str) -> Any:
    try:
        from sacrebleu.metrics.bleu import BLEU
    except ImportError as error:
        raise MissingExtraError(error.name or "sacrebleu", "generation") from None
    return BLEU(tokenize=tokenizer, effective_order=True)  # of one text it says nothing about how: the counts are alike
