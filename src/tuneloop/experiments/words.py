"""A comparison in words and cells, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.core.progress import format_duration
from tuneloop.evaluation.names import decimals, metric_name, model_name
from tuneloop.experiments.budget import ALL
from tuneloop.experiments.judge import AS_GOOD, BEST


def budget_name(budget: int | str, *, classes: bool = True) -> str:
    """A number of labels for people; they are counted by class where there are `classes`."""
    if budget == ALL:
        return t("all labels")
    return t("{count} labels of each class", count=budget) if classes else t("{count} labelled texts", count=budget)


def values(text: str) -> list[Any]:
    """What is written with commas between, such as 8,32,all: whole numbers as numbers."""
    return [int(part) if part.strip().isdigit() else part.strip() for part in text.split(",") if part.strip()]


def headers(metric: str) -> list[str]:
    """The columns of `rows`."""
    return [
        t("method"),
        metric_name(metric),
        t("against the best"),
        t("trained parameters"),
        t("time"),
        t("peak memory"),
        t("size"),
        t("one text"),
        t("texts/s"),
    ]


def rows(budget: Mapping[str, Any], *, intervals: bool = True) -> list[list[str]]:
    """One row of cells for each method of a budget; a terminal has no room for the intervals of differences."""
    return [
        [
            model_name(each["label"]),
            f"{decimals(each['value'])} [{decimals(each['low'])}, {decimals(each['high'])}]",
            _against(each, intervals),
            _parameters(each),
            _time(each["seconds"]),
            _bytes(each["peak_memory_bytes"]),
            _bytes(each["size_bytes"]),
            "" if each["latency_ms"] is None else f"{each['latency_ms']:.0f} ms",
            "" if each["texts_per_s"] is None else f"{each['texts_per_s']:,.0f}",
        ]
        for each in budget["methods"]
    ]


def recommendation(found: Mapping[str, Any], budget: Mapping[str, Any]) -> str:
    """What to take with this many labels, and why, in one sentence."""
    advice = found["recommendations"][str(budget["budget"])]
    methods = {each["label"]: each for each in budget["methods"]}
    chosen, best = methods[advice["take"]], methods[advice["instead_of"] or advice["take"]]
    second = budget["methods"][1] if len(methods) > 1 else best
    values = {
        "labels": budget_name(budget["budget"], classes=found["classes"]),
        "take": model_name(chosen["label"]),
        "metric": metric_name(found["metric"]),
        "value": decimals(chosen["value"]),
        "best": model_name(best["label"]),
        "best_value": decimals(best["value"]),
        "second": model_name(second["label"]),
        "second_value": decimals(second["value"]),
        "time": _time(chosen["seconds"]),
        "best_time": _time(best["seconds"]),
    }
    sentences = {
        "only": t("With {labels}, {take} is all there is to compare: {metric} {value}.", **values),
        "clear": t(
            "With {labels}, take {take}: {metric} {value} is better than every other, the next being {second} with "
            "{second_value}.",
            **values,
        ),
        "best": t(
            "With {labels}, take {take}: {metric} {value} is the highest, and no quicker method comes as near as "
            "one point.",
            **values,
        ),
        "cheaper": t(
            "With {labels}, take {take}: its {metric} {value} cannot be told from that of {best}, {best_value}, and it "
            "is trained in {time} instead of {best_time}.",
            **values,
        ),
        "baseline": t(
            "With {labels}, no method is worth its cost: {best} has {metric} {best_value}, and {take} has {value}; "
            "the data cannot tell them apart.",
            **values,
        ),
    }
    return sentences[advice["reason"]]


def _against(each: Mapping[str, Any], intervals: bool) -> str:
    if each["verdict"] == BEST:
        return t("the best")
    shown = [decimals(each[name], signed=True) for name in ("difference", "difference_low", "difference_high")]
    verdict = t("cannot tell") if each["verdict"] == AS_GOOD else t("worse")
    return f"{shown[0]} [{shown[1]}, {shown[2]}] {verdict}" if intervals else f"{shown[0]} {verdict}"


def _parameters(each: Mapping[str, Any]) -> str:
    if each["trained_parameters"] is None:
        return ""
    return f"{each['trained_parameters']:,} ({each['trained_parameters'] / each['parameters']:.1%})"


def _time(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 10 else format_duration(seconds)


def _bytes(count: float | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e6:,.1f} MB" if count < 1e7 else f"{count / 1e6:,.0f} MB"
