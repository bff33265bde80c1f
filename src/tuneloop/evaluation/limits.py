"""What an evaluation does not show: the sentences that keep its reader from believing too much."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tuneloop.core.i18n import t

FEW_ROWS = 200
FEW_ROWS_OF_A_CLASS = 20
MOST_NAMED = 8
MOST_SHOWN = 300


def limits(evaluation: dict[str, Any]) -> Iterator[str]:
    """The limits of this evaluation's JSON, in the language in force."""
    rows, settings = evaluation["rows"], evaluation["settings"]
    yield t("The figures hold for texts like those of the test split; texts of another kind must be measured anew.")
    yield t("Labels are taken as true. Where people mislabelled texts, figures of any model are bounded by that.")
    yield t(
        "Intervals come from {resamples} bootstrap resamples of the test texts (percentile method; seed {seed}). They "
        "do not cover what another training run or another training set would change.",
        resamples=f"{settings['resamples']:,}",
        seed=settings["seed"],
    )
    if settings["ranking_resamples"] < settings["resamples"] and evaluation["per_class"]:
        yield t(
            "ROC-AUC and average precision use {resamples} resamples, as they cost more.",
            resamples=settings["ranking_resamples"],
        )
    if evaluation["split"] != "test":
        yield about_training(evaluation)
    if rows < FEW_ROWS:
        yield t("With only {rows} test texts the intervals themselves are rough.", rows=rows)
    if not evaluation["worst_errors"]:
        yield t(
            "No mistake in {rows} texts still leaves room for an error rate of about {percent} % (rule of three).",
            rows=rows,
            percent=f"{300 / rows:.1f}",
        )
    if evaluation["task"]["problem_type"] == "generation":
        yield from _about_writing(settings)
        yield from _about_constraint(evaluation)
    yield from _about_reference(evaluation)
    yield from _about_classes(evaluation)
    yield from _about_length(evaluation)


def about_training(evaluation: dict[str, Any]) -> str:
    """Whether the model was trained on texts of a file that it was measured on."""
    seen = evaluation.get("rows_seen")
    if seen is None:
        return t("Whether training saw some of these texts was not checked.")
    if not seen:
        return t("The model was trained on none of these texts; whether on texts like them was not checked.")
    return t(
        "The model was trained on {count} of these texts, so it looks better here than it is: measure it on others.",
        count=f"{seen:,}",
    )


def _about_writing(settings: dict[str, Any]) -> Iterator[str]:
    yield t(
        "Every answer was compared with one reference. Another wording can be just as good, and a wrong answer can "
        "share most of its words with the right one: overlap is a rough sign of quality, so read some answers yourself."
    )
    yield t("Whether what the answers say is true, harmless or polite was not measured.")
    yield t(
        "BLEU is that of all texts together ({signature}); chrF, ROUGE-L and F1 are means over the texts.",
        signature=settings["bleu"],
    )


def _about_constraint(evaluation: dict[str, Any]) -> Iterator[str]:
    constraint = evaluation["settings"].get("constraint")
    if not constraint:
        return
    shown = json.dumps(constraint, ensure_ascii=False)
    yield t(
        "The answers were held to {constraint}, and so were those before tuning; "
        "references and simple baselines were not.",
        constraint=shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + "…",
    )
    cut = evaluation["metrics"]["unfinished"]["value"]
    if cut:
        yield t(
            "{percent} % of the answers were cut off at task.max_new_tokens, and so are not what they must look like.",
            percent=f"{100 * cut:.1f}",
        )


def _about_reference(evaluation: dict[str, Any]) -> Iterator[str]:
    reference = evaluation["reference"] or {}
    seen = reference.get("rows_seen", 0)
    if seen is None:
        yield t("Whether {name} was trained on some of these texts is not known.", name=reference["name"])
    elif seen:
        yield t(
            "{name} was trained on {count} of these texts, so it looks better here than it is.",
            name=reference["name"],
            count=f"{seen:,}",
        )


def _about_classes(evaluation: dict[str, Any]) -> Iterator[str]:
    rare = [one["label"] for one in evaluation["per_class"] if one["support"] < FEW_ROWS_OF_A_CLASS]
    if rare:
        named = ", ".join(rare[:MOST_NAMED]) + (" …" if len(rare) > MOST_NAMED else "")
        yield t(
            "Classes with fewer than {few} test texts, whose own figures say little: {classes}.",
            few=FEW_ROWS_OF_A_CLASS,
            classes=named,
        )


def _about_length(evaluation: dict[str, Any]) -> Iterator[str]:
    cut = evaluation["truncated"]
    if cut:
        yield t(
            "{count} texts ({percent} %) are longer than the model reads; it judged only their beginning.",
            count=f"{cut:,}",
            percent=f"{100 * cut / evaluation['rows']:.1f}",
        )
