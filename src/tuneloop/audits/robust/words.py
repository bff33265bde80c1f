"""What the audit `robustness` found, in words and tables, in the language in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, code_block, paragraph, table
from tuneloop.data.perturbations import PERTURBATIONS


def kind_title(name: str) -> str:
    """What a perturbation is called; its name, if it is not installed here."""
    return PERTURBATIONS.get(name).title() if name in PERTURBATIONS.names() else name


def figure_title(name: str) -> str:
    """What a figure is called."""
    figure, _, kind = name.partition(".")
    if figure == "failures" and kind == "negation":
        return t("right answers that stay under negation")
    if figure == "failures" and kind:
        return t("right answers that change: {kind}", kind=kind_title(kind))
    return {
        "failures": t("right answers that change, mean of all perturbations"),
        "accuracy_drop": t("loss of accuracy under perturbation"),
        "robust_accuracy": t("rows that are right and stay so under every perturbation"),
        "attack_success": t("right answers that a search for small changes breaks"),
        "attack_queries": t("questions to the model for one text in that search, median"),
    }[figure]


def sentence(kind: str, fields: Mapping[str, Any]) -> str:
    """A finding in words."""
    numbers = {"broken": fields["broken"], "n": fields["n"], "share": fields["share"], "limit": fields["limit"]}
    example = fields["examples"][0]
    said = t(
        "For example {before!r} was {answer_before}; {after!r} is {answer_after}.",
        before=example["before"], answer_before=example["answer_before"],
        after=example["after"], answer_after=example["answer_after"],
    )  # fmt: skip
    if kind == "ignores_negation":
        text = t("Negation: {broken} of {n} right answers stay ({share:.0%}, limit {limit:.0%}).", **numbers)
    else:
        text = t(
            "{kind}: {broken} of {n} right answers change ({share:.0%}, limit {limit:.0%}).",
            kind=kind_title(fields["perturbation"]), **numbers,
        )  # fmt: skip
    return f"{text} {said}"


def parts(outcome: Mapping[str, Any]) -> list[Markup]:
    """What the page shows below figures and findings."""
    details = outcome["details"]
    found = [_worst(details["worst"])] if details.get("worst") else []
    found += _attacks(details["attacks"]) if details.get("attacks") else []
    found += _remedy(outcome)
    if details["left_out"]:
        found += [paragraph(t("Left out:")), bullets(_lacking(*each) for each in details["left_out"].items())]
    found.append(paragraph(t("{count} answers were asked for.", count=details["answers"]), "note"))
    return found


def _worst(rows: list[dict[str, Any]]) -> Markup:
    headers = [t("perturbation"), t("before"), t("after"), t("answer before"), t("answer after")]
    keys = ("before", "after", "answer_before", "answer_after")
    return table(headers, [[kind_title(row["perturbation"]), *(str(row[key]) for key in keys)] for row in rows])


def _attacks(rows: list[dict[str, Any]]) -> list[Markup]:
    headers = [t("before"), t("after"), t("answer before"), t("answer after"), t("questions")]
    keys = ("before", "after", "answer_before", "answer_after")
    cells = [[*(str(row[key]) for key in keys), row["queries"]] for row in rows]
    return [paragraph(t("Answers that a search broke, with the fewest changed words:")), table(headers, cells)]


def _remedy(outcome: Mapping[str, Any]) -> list[Markup]:
    """What to write into tuneloop.yaml to train on what broke answers."""
    names = [each["perturbation"] for each in outcome["findings"] if each["kind"] == "fragile"]
    if not names:
        return []
    return [
        paragraph(t("To train on such texts, put into tuneloop.yaml:")),
        code_block(f"data:\n  augment: {{perturbations: [{', '.join(names)}]}}"),
    ]


def _lacking(name: str, what: str) -> str:
    kind = kind_title(name)
    if what == "poles":
        return t("{kind}: say which labels are its poles, audit.options.robustness.poles.", kind=kind)
    if what == "WordNet":
        return t("{kind}: install the Debian package wordnet-base, or set WNSEARCHDIR.", kind=kind)
    return t('{kind}: {package} is missing; pip install "tuneloop[audit]".', kind=kind, package=what)
