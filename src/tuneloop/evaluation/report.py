"""report.html: one page that says what was measured, how sure it is, and where the model fails.

It is made from the JSON of an evaluation alone, so that a release can make it again in another language.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, figures, page, paragraph, section, table
from tuneloop.evaluation import plots
from tuneloop.evaluation.limits import limits
from tuneloop.evaluation.names import (
    LOWER_IS_BETTER,
    answer_text,
    figure_text,
    metric_meaning,
    metric_name,
    model_name,
)
from tuneloop.evaluation.paired import BETTER, WORSE, sentence

MOST_CLASSES_DRAWN = 20
MOST_CONFUSIONS = 10


def report_html(evaluation: dict[str, Any], *, title: str, lineage: Mapping[str, str]) -> str:
    """The whole page, in the language in force.

    Args:
        evaluation: `Evaluation.to_json()`, or what evaluation.json holds.
        title: the model's name.
        lineage: where the model and the data come from: what, and its name or hash.
    """
    parts = [
        *_verdicts(evaluation),
        table([t("origin"), ""], lineage.items()) if lineage else Markup(""),
        section(t("Figures"), _figures_table(evaluation), paragraph(_how_to_read(evaluation), "note")),
        section(t("Comparisons"), *_comparisons(evaluation)) if evaluation["comparisons"] else Markup(""),
        section(t("Classes"), *_classes(evaluation)) if evaluation["per_class"] else Markup(""),
        section(t("Confusions"), *_confusion(evaluation)) if evaluation["confusion"] else Markup(""),
        section(t("Probabilities"), *_calibration(evaluation)) if evaluation["calibration"] else Markup(""),
        section(t("Answers and labels"), plots.fit(evaluation["fit"])) if evaluation["fit"] else Markup(""),
        section(t("Parts of the test split"), *_slices(evaluation)),
        section(t("Worst errors"), *_errors(evaluation)),
        section(t("What the figures mean"), _meanings(evaluation)),
        section(t("Limits"), bullets(limits(evaluation))),
    ]
    return page(title, parts)


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
    if comparison["verdict"] in (BETTER, WORSE) or difference < half / 30:
        return ""
    rows = comparison["rows"] * max(1.1, (half / difference) ** 2)
    digits = 10 ** (math.floor(math.log10(rows)) - 1)
    wanted = math.ceil(rows / digits) * digits
    return " " + t("If this difference is real, about {rows} test texts would show it.", rows=f"{round(wanted):,}")


def _certainty(evaluation: dict[str, Any]) -> str:
    metric = evaluation["task"]["primary_metric"]
    found = evaluation["metrics"][metric]
    return t(
        "Measured on {rows} texts of the {split} split that training never saw. {metric} is known to within "
        "{low} to {high}; figures inside that range are not really different.",
        rows=f"{evaluation['rows']:,}",
        split=evaluation["split"],
        metric=metric_name(metric),
        low=f"{found['low']:.3f}",
        high=f"{found['high']:.3f}",
    )


def _figures_table(evaluation: dict[str, Any]) -> Markup:
    columns = {t("The model"): evaluation["metrics"]}
    if evaluation["reference"]:
        columns[evaluation["reference"]["name"]] = evaluation["reference"]["metrics"]
    columns |= {model_name(name): found for name, found in evaluation["baselines"].items()}
    rows = [
        [_name_and_way(metric), *(figure_text(found.get(metric)) for found in columns.values())]
        for metric in evaluation["metrics"]
    ]
    return table([t("metric"), *columns], rows)


def _name_and_way(metric: str) -> str:
    return metric_name(metric) + (" ↓" if metric in LOWER_IS_BETTER else "")


def _how_to_read(evaluation: dict[str, Any]) -> str:
    return t(
        "In brackets the 95 % interval: with other test texts of the same kind the figure would likely lie in it. "
        "↓: lower is better; otherwise higher is better. The main metric is {metric}.",
        metric=metric_name(evaluation["task"]["primary_metric"]),
    )


def _comparisons(evaluation: dict[str, Any]) -> list[Markup]:
    words = {BETTER: t("better"), WORSE: t("worse")}
    counted = evaluation["comparisons"][0]["only_a_right"] is not None
    headers = [t("against"), t("difference"), t("p"), t("verdict"), t("different answers")]
    headers += [t("right only here"), t("right only there"), t("McNemar p")] if counted else []
    rows = []
    for one in evaluation["comparisons"]:
        found = {"value": one["difference"], "low": one["low"], "high": one["high"]}
        row = [model_name(one["against"]), figure_text(found), _p(one["p"])]
        row += [words.get(one["verdict"], t("cannot tell")), one["changed"]]
        row += [one["only_a_right"], one["only_b_right"], _p(one["mcnemar_p"])] if counted else []
        rows.append(row)
    note = t(
        "Both answered the same texts. Better or worse is said only if p is below 0.05 and the interval of the "
        "difference in {metric} is clear of 0.",
        metric=metric_name(evaluation["task"]["primary_metric"]),
    )
    return [table(headers, rows), paragraph(note, "note")]


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _classes(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["per_class"]
    rows = [
        [one["label"], *(figure_text(one[name]) for name in ("precision", "recall", "f1")), one["support"]]
        for one in found
    ]
    drawn = [(one["label"], one["f1"]) for one in found]
    parts = [table([t("class"), t("precision"), t("recall"), "F1", t("texts")], rows)]
    if 1 < len(drawn) <= MOST_CLASSES_DRAWN:
        line = evaluation["metrics"]["macro_f1"]["value"]
        caption = t("F1 of each class with its interval; dashed: their mean.")
        parts.append(plots.dots(drawn, caption=caption, axis="F1", line=line))
    return parts


def _confusion(evaluation: dict[str, Any]) -> list[Markup]:
    labels, matrix = evaluation["confusion"]["labels"], evaluation["confusion"]["matrix"]
    if evaluation["calibration"]["kind"] == "decision":
        rows = [[label, one[1][1], one[1][0], one[0][1]] for label, one in zip(labels, matrix, strict=True)]
        return [table([t("class"), t("found"), t("missed"), t("given wrongly")], rows)]
    pairs = [
        (count, meant, given, count / sum(counts))
        for meant, counts in zip(labels, matrix, strict=True)
        for given, count in zip(labels, counts, strict=True)
        if count and meant != given
    ]
    rows = [
        [meant, given, count, f"{100 * share:.1f} %"]
        for count, meant, given, share in sorted(pairs, key=lambda pair: -pair[0])[:MOST_CONFUSIONS]
    ]
    listed = table([t("label"), t("answer of the model"), t("texts"), t("share of the label's texts")], rows)
    if not 1 < len(labels) <= MOST_CLASSES_DRAWN:
        return [listed]
    return [figures(plots.confusion(labels, matrix), listed)]


def _calibration(evaluation: dict[str, Any]) -> list[Markup]:
    ece = evaluation["metrics"]["ece"]
    text = t(
        "A stated probability is off by {points} points on average (95 % interval {low} to {high}).",
        points=f"{100 * ece['value']:.1f}",
        low=f"{100 * ece['low']:.1f}",
        high=f"{100 * ece['high']:.1f}",
    )
    bins = evaluation["calibration"]["reliability"]
    total = sum(found["count"] for found in bins)
    gap = sum(found["count"] * (found["promised"] - found["came_true"]) for found in bins) / total
    if abs(gap) > 0.02:
        text += " " + (
            t("It promises too much: fewer answers come true than it says.")
            if gap > 0
            else t("It promises too little: more answers come true than it says.")
        )
    return [paragraph(text), plots.reliability(bins)]


def _slices(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["slices"]
    metric = found[0]["metric"]
    overall = evaluation["metrics"][metric]["value"]
    names = {"length": t("length in characters"), "truncated": t("cut to what the model reads")}
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in found:
        groups.setdefault(names.get(one["by"], one["by"]), []).append((_part_name(one), one))
    drawn = [
        plots.dots(rows, caption=t("By {what}; dashed: all texts.", what=by), axis=metric_name(metric), line=overall)
        for by, rows in groups.items()
    ]
    rows = [[by, name, one["rows"], figure_text(one)] for by, group in groups.items() for name, one in group]
    note = t("The more parts are looked at, the likelier one of them stands out by chance alone.")
    return [
        figures(*drawn),
        table([t("by"), t("part"), t("texts"), _name_and_way(metric)], rows),
        paragraph(note, "note"),
    ]


def _part_name(part: dict[str, Any]) -> str:
    if part["part"] is None:
        return t("all other values")
    if part["by"] == "truncated":
        return t("yes") if part["part"] == "yes" else t("no")
    return str(part["part"]).replace("-", "\u2013") if part["by"] == "length" else str(part["part"])


def _errors(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["worst_errors"]
    if not found:
        return [paragraph(t("Every text was answered rightly."))]
    sure = found[0]["probability"] is not None
    rows = [
        [
            one["id"],
            one["text"] + (f"\n— {one['pair']}" if one["pair"] else ""),
            answer_text(one["label"]),
            answer_text(one["answer"]),
            *([one["probability"]] if sure else []),
        ]
        for one in found
    ]
    headers = [t("id"), t("text"), t("label"), t("answer of the model"), *([t("probability")] if sure else [])]
    note = (
        t("The mistakes that the model was surest of. Look here first: some are wrong labels, not wrong answers.")
        if sure
        else t("The answers that are furthest from their label. Some may be wrong labels, not wrong answers.")
    )
    return [paragraph(note), table(headers, rows)]


def _meanings(evaluation: dict[str, Any]) -> Markup:
    metrics = [metric for metric in evaluation["metrics"] if metric_meaning(metric)]
    return table([t("metric"), t("meaning")], [[metric_name(metric), metric_meaning(metric)] for metric in metrics])
