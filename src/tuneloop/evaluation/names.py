"""What metrics are called, what they mean, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.i18n import t

LOWER_IS_BETTER = frozenset({"ece", "brier", "mae", "rmse", "perplexity", "repetition", "unfinished"})

NEITHER_IS_BETTER = frozenset({"length_ratio", "support", "density", "known_numbers", "known_names"})
"""Figures that describe the answers: how much is right depends on the references and the prompts."""


def metric_name(metric: str) -> str:
    """The metric's name for people, in the language in force; unknown metrics keep their own."""
    names = {
        "accuracy": t("accuracy"),
        "macro_f1": t("macro F1"),
        "weighted_f1": t("weighted F1"),
        "micro_f1": t("micro F1"),
        "subset_accuracy": t("all classes right"),
        "mcc": t("Matthews correlation"),
        "roc_auc": t("ROC-AUC"),
        "average_precision": t("average precision"),
        "ece": t("calibration error (ECE)"),
        "brier": t("Brier score"),
        "r2": t("R²"),
        "f1": t("F1 of the answers"),
        "exact_match": t("exact match"),
        "ndcg_at_10": t("nDCG of the first 10"),
        "mrr_at_10": t("reciprocal rank in the first 10"),
        "recall_at_1": t("recall of the first"),
        "recall_at_10": t("recall of the first 10"),
        "mae": t("mean absolute error"),
        "rmse": t("root mean square error"),
        "pearson": t("Pearson correlation"),
        "spearman": t("Spearman correlation"),
        "chrf": t("chrF"),
        "bleu": t("BLEU"),
        "rouge_l": t("ROUGE-L"),
        "token_f1": t("F1 of the words"),
        "perplexity": t("perplexity of the references"),
        "log_likelihood": t("log-likelihood per token of the references"),
        "length_ratio": t("length against the references"),
        "repetition": t("repetition"),
        "unfinished": t("unfinished answers"),
        "support": t("words that stand in the context"),
        "density": t("words copied in a row from the context"),
        "known_numbers": t("numbers that stand in the context"),
        "known_names": t("names that stand in the context"),
    }
    return names.get(metric, metric)


def metric_meaning(metric: str) -> str:
    """One sentence in plain words on what the metric says; empty for unknown metrics."""
    meanings = {
        "accuracy": t("The share of texts that were answered rightly."),
        "macro_f1": t("F1 balances false alarms against misses; here every class counts alike, however rare it is."),
        "weighted_f1": t("F1 averaged so that a class counts as often as it occurs."),
        "micro_f1": t("F1 over all single decisions together; frequent classes count more."),
        "subset_accuracy": t("The share of texts for which exactly the right set of classes was given."),
        "mcc": t("Agreement beyond chance, from -1 over 0 (no better than guessing) to 1; hard to please by guessing."),
        "roc_auc": t(
            "How often a text of a class is ranked above one of another; 0.5 is guessing, 1 is perfect order."
        ),
        "average_precision": t("Precision averaged along the ranking of each class; hard to please for rare classes."),
        "ece": t("How far the stated probabilities are from the share that came true, on average; 0 is honest."),
        "brier": t("Mean squared error of the probabilities; small only if they are both right and honest."),
        "f1": t("How many words the answer shares with the best right one, on average; 1 is the same words."),
        "exact_match": t("The share of answers that are exactly the right words."),
        "ndcg_at_10": t("How near to the top the right passages stand, the first places counting most; 1 is perfect."),
        "mrr_at_10": t("One divided by the place of the first right passage, on average."),
        "recall_at_1": t("The share of the right passages that come first."),
        "recall_at_10": t("The share of the right passages among the first 10."),
        "r2": t("The share of the variation of the answers that is explained; 0 is no better than always the mean."),
        "mae": t("By how much an answer is wrong on average, in the units of the labels."),
        "rmse": t("The same with large errors counting more, in the units of the labels."),
        "pearson": t("How well the answers follow the labels along a line, from -1 to 1."),
        "spearman": t("How well the order of the answers follows the order of the labels, from -1 to 1."),
        "chrf": t("How many runs of up to six characters an answer shares with its reference, on average."),
        "bleu": t(
            "How many runs of up to four words the answers share with the references; too short ones are punished."
        ),
        "rouge_l": t("How much of the words of answer and reference stands in the same order in both, on average."),
        "token_f1": t("How many words an answer shares with its reference in any order, on average."),
        "perplexity": t(
            "Among how many equally likely tokens the model is undecided at each token of the references; 1 is sure. "
            "Only models with the same tokenizer compare."
        ),
        "length_ratio": t("Words and signs written for each of the references: below 1 is shorter, above 1 is longer."),
        "repetition": t(
            "The share of runs of four words or signs that stood in the same answer before; high where it goes round."
        ),
        "unfinished": t("The share of answers that were cut off at the most tokens allowed."),
        "support": t(
            "The share of an answer's words that occur in its context (the prompt, or the column evaluation.context). "
            "Only a rough sign that it keeps to a given text: right words can make a wrong sentence."
        ),
        "density": t("How long the run of words copied from the context is that a word stands in, on average."),
        "known_numbers": t("The share of an answer's numbers that stand in its context; the others it has made up."),
        "known_names": t(
            "The share of an answer's names, words with a capital within a sentence, that stand in its context."
        ),
    }
    return meanings.get(metric, "")


def model_name(name: str) -> str:
    """What a baseline is called, in the language in force; other models keep their name."""
    names = {
        "majority": t("always the most frequent answer"),
        "mean": t("always the mean"),
        "tfidf": t("TF-IDF with a linear model"),
        "lexicon": t("stretches known from training"),
        "overlap": t("most words shared with the question"),
        "term_match": t("TF-IDF cosine"),
        "nearest": t("the answer to the most similar training prompt"),
        "base": t("the model before tuning"),
    }
    return names.get(name, name)


def answer_text(answer: object) -> str:
    """A label for people: a class, several classes, stretches of the text, or a number."""
    if isinstance(answer, list | tuple):
        return ", ".join(map(_part_text, answer)) or t("none")
    return f"{answer:.3f}" if isinstance(answer, float) else _part_text(answer)


def _part_text(part: object) -> str:
    if not isinstance(part, dict):
        return str(part)
    if "place" in part:
        return t("place {place}", place=part["place"])
    where = f"{part['start']}–{part['end']}"
    return f"{part['text']} ({part['label']}, {where})" if "text" in part else f"{where} {part['label']}"


def figure_text(figure: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    """A figure's JSON as `0.731 [0.712, 0.749]`; a dash where there is none."""
    if figure is None or figure["value"] is None:
        return "-"
    value, low, high = (decimals(figure[key], signed=signed) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]" if low and high else value


def decimals(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, never -0.000; empty for None."""
    if value is None:
        return ""
    rounded = round(value, 3) + 0.0
    return f"{rounded:+.3f}" if signed else f"{rounded:.3f}"
