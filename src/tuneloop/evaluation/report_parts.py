"""The sections of the report, each from the JSON of an evaluation."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import figures, gap, paragraph, table
from tuneloop.data.turns import turns
from tuneloop.evaluation import plots
from tuneloop.evaluation.names import (
    LOWER_IS_BETTER,
    NEITHER_IS_BETTER,
    answer_text,
    figure_text,
    metric_meaning,
    metric_name,
    model_name,
)
from tuneloop.evaluation.paired import BETTER, WORSE, sentence

MOST_CLASSES_DRAWN = 20
MOST_CONFUSIONS = 10


def figures_table(evaluation: dict[str, Any]) -> Markup:
    columns = {t("The model"): evaluation["metrics"]}
    if evaluation["reference"]:
        columns[evaluation["reference"]["name"]] = evaluation["reference"]["metrics"]
    columns |= {model_name(name): found for name, found in evaluation["baselines"].items()}
    if evaluation.get("answers"):
        columns[t("the references")] = evaluation["answers"]
    rows = [
        [
            _strong(metric, main=metric == evaluation["task"]["primary_metric"]),
            *(_figure(found.get(metric)) for found in columns.values()),
        ]
        for metric in evaluation["metrics"]
        if any(found.get(metric, {}).get("value") is not None for found in columns.values())
    ]
    return table([t("metric"), *columns], rows)


def _strong(metric: str, *, main: bool) -> str | Markup:
    name = _name_and_way(metric)
    return Markup("<strong>{}</strong>").format(name) if main else name


def _figure(figure: dict[str, Any] | None, *, signed: bool = False) -> Markup:
    """The figure, and smaller its interval."""
    value, _, bounds = figure_text(figure, signed=signed).partition(" ")
    return Markup("{} <small>{}</small>").format(value, bounds) if bounds else Markup("{}").format(value)


def _name_and_way(metric: str) -> str:
    return metric_name(metric) + (" ↓" if metric in LOWER_IS_BETTER else "")


def how_to_read(evaluation: dict[str, Any]) -> str:
    text = t(
        "In brackets the 95 % interval: with other test texts of the same kind the figure would likely lie in it. "
        "↓: lower is better; otherwise higher is better. The main metric is {metric}.",
        metric=metric_name(evaluation["task"]["primary_metric"]),
    )
    neither = [metric_name(metric) for metric in evaluation["metrics"] if metric in NEITHER_IS_BETTER]
    if neither:
        text += gap() + t("These only describe the answers: {metrics}.", metrics=", ".join(neither))
    if evaluation.get("answers"):
        text += gap() + t("What stands in the context is told of the references too: answers need not have more of it.")
    return text


def comparisons(evaluation: dict[str, Any]) -> list[Markup]:
    words = {BETTER: t("better"), WORSE: t("worse")}
    counted = evaluation["comparisons"][0]["only_a_right"] is not None
    headers = [t("against"), t("difference"), t("p"), t("verdict"), t("different answers")]
    headers += [t("right only here"), t("right only there"), t("McNemar p")] if counted else []
    rows = []
    for one in evaluation["comparisons"]:
        found = {"value": one["difference"], "low": one["low"], "high": one["high"]}
        row = [model_name(one["against"]), _figure(found, signed=True), _p(one["p"])]
        row += [words.get(one["verdict"], t("cannot tell")), one["changed"]]
        row += [one["only_a_right"], one["only_b_right"], _p(one["mcnemar_p"])] if counted else []
        rows.append(row)
    note = t(
        "Both answered the same texts. Better or worse is said only if p is below 0.05 and the interval of the "
        "difference in {metric} is clear of 0.",
        metric=metric_name(evaluation["task"]["primary_metric"]),
    )
    likelihoods = [
        paragraph(sentence(one["likelihood"], t("The model"), model_name(one["against"])))
        for one in evaluation["comparisons"]
        if one.get("likelihood")
    ]
    return [table(headers, rows), paragraph(note, "note"), *likelihoods]


def _p(value: float) -> str:
    return "<\u00a00.001" if value < 0.001 else f"{value:.3f}"


def classes(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["per_class"]
    rows = [
        [one["label"], *(_figure(one[name]) for name in ("precision", "recall", "f1")), one["support"]] for one in found
    ]
    drawn = [(one["label"], one["f1"]) for one in found]
    shown = [table([t("class"), t("precision"), t("recall"), "F1", t("texts")], rows)]
    if 1 < len(drawn) <= MOST_CLASSES_DRAWN:
        line = evaluation["metrics"]["macro_f1"]["value"]
        caption = t("F1 of each class with its interval; dashed: their mean.")
        shown.append(plots.dots(drawn, caption=caption, axis="F1", line=line))
    return shown


def confusion(evaluation: dict[str, Any]) -> list[Markup]:
    labels, matrix = evaluation["confusion"]["labels"], evaluation["confusion"]["matrix"]
    if evaluation["calibration"]["kind"] == "decision":
        rows = [[label, one[1][1], one[1][0], one[0][1]] for label, one in zip(labels, matrix, strict=True)]
        return [table([t("class"), t("given rightly"), t("missed"), t("given wrongly")], rows)]
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


def calibration(evaluation: dict[str, Any]) -> list[Markup]:
    ece = evaluation["metrics"]["ece"]
    text = t(
        "A stated probability is off by {points} points on average (95 % interval {low} to {high}).",
        points=f"{100 * ece['value']:.1f}",
        low=f"{100 * ece['low']:.1f}",
        high=f"{100 * ece['high']:.1f}",
    )
    bins = evaluation["calibration"]["reliability"]
    total = sum(found["count"] for found in bins)
    excess = sum(found["count"] * (found["promised"] - found["came_true"]) for found in bins) / total
    if abs(excess) > 0.02:
        text += gap() + (
            t("It promises too much: fewer answers come true than it says.")
            if excess > 0
            else t("It promises too little: more answers come true than it says.")
        )
    return [paragraph(text), plots.reliability(bins)]


def slices(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["slices"]
    metric = found[0]["metric"]
    overall = evaluation["metrics"][metric]["value"]
    names = {"length": t("length in characters"), "truncated": t("whether the text was cut")}
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in found:
        groups.setdefault(names.get(one["by"], one["by"]), []).append((_part_name(one), one))
    drawn = [
        plots.dots(rows, caption=t("By {what}; dashed: all texts.", what=by), axis=metric_name(metric), line=overall)
        for by, rows in groups.items()
    ]
    rows = [[by, name, one["rows"], _figure(one)] for by, group in groups.items() for name, one in group]
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
        return t("cut") if part["part"] == "yes" else t("read whole")
    return str(part["part"]).replace("-", "\u2013") if part["by"] == "length" else str(part["part"])


def errors(evaluation: dict[str, Any]) -> list[Markup]:
    found = evaluation["worst_errors"]
    if not found:
        return [paragraph(t("Every text was answered rightly."))]
    if "chrf" in found[0]:
        return _furthest(found)
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


def _furthest(found: list[dict[str, Any]]) -> list[Markup]:
    note = t("The answers furthest from their reference. Some may be right in other words, or have a poor reference.")
    headers = [t("id"), t("prompt"), t("reference"), t("answer of the model"), t("chrF")]
    rows = [[one["id"], turns(one["text"]), one["label"], one["answer"], one["chrf"]] for one in found]
    return [paragraph(note), table(headers, rows)]


def samples_title(evaluation: dict[str, Any]) -> str:
    return t("Examples before and after") if _has_base(evaluation) else t("Examples")


def samples(evaluation: dict[str, Any]) -> list[Markup]:
    """Some prompts with their reference, the answer, and what the model wrote before it was tuned."""
    before = _has_base(evaluation)
    headers = [t("prompt"), t("reference"), *([t("before tuning")] if before else []), t("answer of the model")]
    rows = [
        [turns(one["text"]), one["reference"], *([one["base"]] if before else []), one["answer"]]
        for one in evaluation["samples"]
    ]
    note = t("Spread evenly over the test split, not chosen by how good they are; long texts are cut.")
    return [paragraph(note, "note"), table(headers, rows)]


def _has_base(evaluation: dict[str, Any]) -> bool:
    return evaluation["samples"][0]["base"] is not None


def meanings(evaluation: dict[str, Any]) -> Markup:
    metrics = [metric for metric in evaluation["metrics"] if metric_meaning(metric)]
    return table([t("metric"), t("meaning")], [[metric_name(metric), metric_meaning(metric)] for metric in metrics])
