"""The audit of fairness in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.audits.base import figure_name
from tuneloop.core.i18n import t
from tuneloop.core.page import paragraph, table

SHOWN = 20


def figure_title(name: str) -> str:
    """What a figure is called."""
    titles = {
        "flips": t("share of texts whose answer hangs on who is named"),
        "shift": t("largest mean shift of a probability through who is named"),
        "accuracy_gap": t("difference of accuracy between groups"),
        "selection_gap": t("difference of the share of an answer between groups"),
        "recall_gap": t("difference of recall between groups"),
    }
    return figure_name(name, titles, _name)


def sentence(kind: str, fields: Mapping[str, Any]) -> str:
    """A finding in words, in the language in force."""
    if kind == "gap":
        return t(
            "Accuracy differs by {column}: {groups} (p = {p:.2g}).",
            column=fields["column"],
            groups=", ".join(f"{name} {each['accuracy']:.1%}" for name, each in fields["groups"].items()),
            p=fields["p"],
        )
    values = {
        "dimension": _name(fields["dimension"]),
        "group": fields["group"],
        "label": fields["label"],
        "terms": ", ".join(fields["terms"]),
        "shift": 100 * abs(fields["shift"]),
        "low": 100 * fields["low"],
        "high": 100 * fields["high"],
        "flips": 100 * fields["flips"],
        "texts": fields["rows"] + fields["made"],
    }
    if fields["shift"] >= 0:
        return t(
            "{dimension}: where {group} is named ({terms}), {label} is more probable by {shift:.1f} points than in the "
            "same texts with other groups (95 % interval {low:.1f} to {high:.1f}); on balance {flips:+.1f} % of "
            "{texts} answers become {label}.",
            **values,
        )
    return t(
        "{dimension}: where {group} is named ({terms}), {label} is less probable by {shift:.1f} points than in the "
        "same texts with other groups (95 % interval {low:.1f} to {high:.1f}); on balance {flips:+.1f} % of "
        "{texts} answers become {label}.",
        **values,
    )


def parts(outcome: Mapping[str, Any]) -> list[Markup]:
    """A table of the shifts of each group, the largest first."""
    shifts = sorted(outcome["details"].get("shifts", []), key=lambda each: -abs(each["shift"]))
    if not shifts:
        return []
    headers = [t("dimension"), t("group"), t("class"), t("shift"), t("95 % interval"), t("test rows"), t("made texts")]
    rows = [
        [_name(each["dimension"]), each["group"], each["label"], f"{each['shift']:+.3f}",
         f"{each['low']:+.3f} … {each['high']:+.3f}", each["rows"], each["made"]]
        for each in shifts[:SHOWN]
    ]  # fmt: skip
    note = t(
        "Each text was asked once for every group, with nothing but its terms exchanged. Where test rows name too few "
        "people, sentences that say nothing stand around them."
    )
    return [table(headers, rows), paragraph(note, "note")]


def _name(name: str) -> str:
    known = {
        "gender": t("gender"), "religion": t("religion"), "nationality": t("nationality"), "age": t("age"),
        "region": t("region"),
    }  # fmt: skip
    return known.get(name, name)
