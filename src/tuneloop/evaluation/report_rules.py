"""The section of the report about rules."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from tuneloop.core.i18n import t
from tuneloop.core.page import gap, paragraph, table
from tuneloop.evaluation.paired import sentence

COUNTS = ("held", "changed", "wrong_to_right", "right_to_wrong", "flagged", "beaten", "broken")


def rules(evaluation: dict[str, Any]) -> list[Markup]:
    """What rules changed, whether that helped, and each rule with its counts."""
    found = evaluation["rules"]
    text = t(
        "All figures of this page are those of the final answers, after the rules; the probabilities are the model's."
    )
    text += gap() + t(
        "Rules changed {changed} of {rows} answers and asked for a person in {flagged}.",
        changed=found["changed"], rows=evaluation["rows"], flagged=found["flagged"],
    )  # fmt: skip
    text += gap() + (
        t("Answers that break a hard rule: {count}. See which rules contradict each other: tuneloop knowledge check",
          count=found["broken"])
        if found["broken"]
        else t("No answer breaks a hard rule.")
    )  # fmt: skip
    return [paragraph(text), paragraph(comparison(found)), table(headers(), rows(found))]


def comparison(found: dict[str, Any]) -> str:
    """Whether the rules made the answers better, in the language in force."""
    return sentence(found["comparison"], t("With rules the model"), t("the model alone"))


def headers() -> list[str]:
    """The names of the columns of `rows`."""
    return [
        t("rule"), t("held"), t("changed"), t("wrong made right"), t("right made wrong"), t("for a person"),
        t("beaten"), t("broken"), t("because"),
    ]  # fmt: skip


def rows(found: dict[str, Any]) -> list[list[Any]]:
    """A row for each rule."""
    return [
        [
            f"{one['name']} ({t('hard')})" if one["hard"] else one["name"],
            *(one[name] for name in COUNTS),
            one["because"],
        ]
        for one in found["rules"]
    ]
