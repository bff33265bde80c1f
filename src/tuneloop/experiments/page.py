"""report.html of a comparison: what to take, the table of each budget, and what score costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import MUTED, bullets, figures, page, paragraph, plot, section, table
from tuneloop.evaluation.names import metric_name, model_name
from tuneloop.experiments.judge import pareto
from tuneloop.experiments.words import budget_name, headers, recommendation, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#4269d0", "#ff725c", "#3ca951", "#efb118", "#a463f2", "#97bbf5", "#9c6b4e", "#ff8ab7")
MARKERS = "osD^vP*X"


def comparison_html(found: Mapping[str, Any]) -> str:
    """The whole page, in the language in force, from what comparison.json holds."""
    budgets = found["budgets"]
    advice = [paragraph(recommendation(found, each), "lead better") for each in budgets]
    tables = [
        section(
            t(
                "{budget} ({rows} training texts)",
                budget=budget_name(each["budget"], classes=found["classes"]),
                rows=f"{each['train_rows']:,}",
            ),
            table(headers(found["metric"]), rows(each)),
            figures(_cost(found, each)),
        )
        for each in budgets
    ]
    curve = [section(t("Score and number of labels"), figures(_curve(found)))] if len(budgets) > 1 else []
    parts = [*advice, *curve, *tables, section(t("How to read this"), bullets(_notes(found)))]
    return page(t("Comparison of methods: {name}", name=found["name"]), parts)


def _notes(found: Mapping[str, Any]) -> list[str]:
    seeds = len(found["seeds"])
    notes = [
        t(
            "Each figure is the mean of {seeds} runs, judged on the same {rows} texts of the {split} split; its 95 % "
            "interval allows for other texts and for other seeds.",
            seeds=seeds,
            rows=f"{found['rows']:,}",
            split=found["split"],
        ),
        t(
            "A method is called worse where the paired interval of its difference to the best leaves out 0 for all "
            "methods of the table together (Bonferroni)."
        ),
        t(
            "With fewer labels than all, the dev split that chooses weights has as many rows as train; larger budgets "
            "hold the rows of smaller ones."
        ),
        t(
            "Time is that of a whole run from its start, memory the most that its process ever had, size what it has "
            "learnt (an adapter without the pretrained model)."
        ),
        t("Speeds are those of whole answers, written by torch.")
        if found["writes"]
        else t("Speeds are those of the plain torch model in fp32."),
        t("Points on the line are those that no other method beats in score at no higher cost."),
    ]
    if found["split"] == "test":
        notes.append(
            t(
                "Methods were judged on the test split: whoever chooses one by this table should measure it on fresh "
                "texts before promising its figure."
            )
        )
    else:
        notes.append(t("Methods were judged on dev, which also chose their weights: expect a little less on test."))
    if seeds == 1:
        notes.append(t("One seed cannot show how much chance there is in a training: use three or more."))
    for kind, why in [*found["refused"].items(), *found["failed"].items()]:
        notes.append(t("Not in the table: {method}. {why}", method=kind, why=why))
    return notes


def _cost(found: Mapping[str, Any], budget: Mapping[str, Any]) -> Markup:
    """Score against seconds, each method a point with its interval; the best for their cost are joined."""
    methods, looks = budget["methods"], _looks(found)
    best = sorted((each for each in methods if each["label"] in pareto(methods)), key=lambda each: each["seconds"])

    def draw(axes: Axes) -> None:
        axes.plot([x["seconds"] for x in best], [x["value"] for x in best], color=MUTED, linewidth=1, zorder=1)
        for each in methods:
            x, (color, marker) = each["seconds"], looks[each["label"]]
            axes.plot([x, x], [each["low"], each["high"]], color=color, linewidth=1.4, alpha=0.5)
            axes.scatter([x], [each["value"]], s=34, color=color, marker=marker, zorder=3, label=_short(each))
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        _finish(axes, t("seconds of training"), found)

    from matplotlib.ticker import LogLocator

    return plot(draw, caption=t("What score costs: higher is better, further left is quicker."), width=6.4, height=3.4)


def _curve(found: Mapping[str, Any]) -> Markup:
    """Score of each method against the number of training texts."""
    counts = [budget["train_rows"] for budget in found["budgets"]]

    def draw(axes: Axes) -> None:
        for name, (color, marker) in _looks(found).items():
            points = [
                (budget["train_rows"], each)
                for budget in found["budgets"]
                for each in budget["methods"]
                if each["label"] == name
            ]
            x, (low, high) = (
                [count for count, _ in points],
                ([each[end] for _, each in points] for end in ("low", "high")),
            )
            axes.fill_between(x, low, high, color=color, alpha=0.12, linewidth=0)
            axes.plot(x, [each["value"] for _, each in points], color=color, marker=marker, label=_short(points[0][1]))
        axes.set_xscale("log")
        axes.set_xticks(counts)
        _finish(axes, t("training texts"), found)

    return plot(
        draw, caption=t("Score against the number of training texts, with 95 % intervals."), width=6.8, height=3.6
    )


def _finish(axes: Axes, label: str, found: Mapping[str, Any]) -> None:
    """Names and plain numbers on the axes, the methods beside them."""
    from matplotlib.ticker import NullLocator

    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)
    axes.set_ylabel(metric_name(found["metric"]))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _looks(found: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Colour and shape of each method, the same in every picture."""
    names = sorted({each["label"] for budget in found["budgets"] for each in budget["methods"]})
    return {name: (COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)]) for n, name in enumerate(names)}


def _short(each: Mapping[str, Any]) -> str:
    name = model_name(each["label"])
    return name if len(name) <= 24 else name[:23] + "…"
