"""report.html: one page that says what was measured, how sure it is, and where the model fails.

It is made from the JSON of an evaluation alone, so that a release can make it again in another language.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, gap, page, paragraph, section, table
from tuneloop.evaluation import plots, report_rules
from tuneloop.evaluation import report_parts as parts
from tuneloop.evaluation.limits import limits
from tuneloop.evaluation.names import metric_name, model_name
from tuneloop.evaluation.paired import BETTER, WORSE, sentence

WIDE = 0.06
"""Width of the main metric's interval from which more test texts are advised."""


def report_html(evaluation: dict[str, Any], *, title: str, lineage: Mapping[str, str]) -> str:
    """The whole page, in the language in force.

    Args:
        evaluation: `Evaluation.to_json()`, or what evaluation.json holds.
        title: the model's name.
        lineage: where the model and the data come from: what, and its name or hash.
    """
    sections = [
        *_verdicts(evaluation),
        table([t("origin"), ""], lineage.items()) if lineage else Markup(""),
        section(t("Figures"), parts.figures_table(evaluation), paragraph(parts.how_to_read(evaluation), "note")),
        section(t("Comparisons"), *parts.comparisons(evaluation)) if evaluation["comparisons"] else Markup(""),
        section(t("Rules"), *report_rules.rules(evaluation)) if evaluation.get("rules") else Markup(""),
        section(t("Classes"), *parts.classes(evaluation)) if evaluation["per_class"] else Markup(""),
        section(t("Confusions"), *parts.confusion(evaluation)) if evaluation["confusion"] else Markup(""),
        section(t("Probabilities"), *parts.calibration(evaluation)) if evaluation["calibration"] else Markup(""),
        section(t("Answers and labels"), plots.fit(evaluation["fit"])) if evaluation["fit"] else Markup(""),
        section(t("Parts of the test split"), *parts.slices(evaluation)),
        section(parts.samples_title(evaluation), *parts.samples(evaluation))
        if evaluation.get("samples")
        else Markup(""),
        section(t("Worst errors"), *parts.errors(evaluation)),
        section(t("What the figures mean"), parts.meanings(evaluation)),
        section(t("Limits"), bullets(limits(evaluation))),
    ]
    return page(title, sections)


def verdicts(evaluation: dict[str, Any]) -> list[str]:
    """The sentences that come first: against the strongest baseline, against the reference, and how sure they are."""
    return [text for text, _ in _sentences(evaluation)]


def _verdicts(evaluation: dict[str, Any]) -> list[Markup]:
    kinds = {BETTER: "lead better", WORSE: "lead worse"}
    found = [paragraph(text, kinds.get(verdict, "lead unclear")) for text, verdict in _sentences(evaluation)]
    return [*found, paragraph(_certainty(evaluation))]


def _sentences(evaluation: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Sentence and verdict of the comparisons that matter most."""
    against_baseline = [one for one in evaluation["comparisons"] if one["against"] in evaluation["baselines"]]
    reference = [one for one in evaluation["comparisons"] if one["against"] not in evaluation["baselines"]]
    strongest = sorted(against_baseline, key=lambda one: -one["value_b"])[:1]
    for one in strongest + reference:
        text = sentence(one, t("The model"), model_name(one["against"]))
        yield text + _rows_needed(one), one["verdict"]


def _rows_needed(comparison: dict[str, Any]) -> str:
    """How much data would tell, if the difference is real; nothing where it is clear or far too much is needed."""
    half, difference = (comparison["high"] - comparison["low"]) / 2, abs(comparison["difference"])
    if comparison["verdict"] in (BETTER, WORSE) or difference <= half / 30:
        return ""
    rows = comparison["rows"] * max(1.1, (half / difference) ** 2)
    digits = 10 ** (math.floor(math.log10(rows)) - 1)
    wanted = math.ceil(rows / digits) * digits
    return gap() + t("If this difference is real, about {rows} test texts would show it.", rows=f"{round(wanted):,}")


def _certainty(evaluation: dict[str, Any]) -> str:
    metric = evaluation["task"]["primary_metric"]
    found = evaluation["metrics"][metric]
    rows = f"{evaluation['rows']:,}"
    text = (
        t("Measured on the {rows} texts of the test split, which training never saw.", rows=rows)
        if evaluation["split"] == "test"
        else t("Measured on the {rows} texts of {split}.", rows=rows, split=evaluation["split"])
    )
    text += gap() + t(
        "On other texts of the same kind, {metric} would likely be between {low} and {high}.",
        metric=metric_name(metric),
        low=f"{found['low']:.3f}",
        high=f"{found['high']:.3f}",
    )
    if found["high"] - found["low"] > WIDE:
        text += gap() + t("That is a wide range: four times as many test texts would halve it.")
    return text
