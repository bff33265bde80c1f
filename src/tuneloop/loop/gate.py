"""Whether a candidate takes the place of the current release: promote, hold, or ask a person, and why.

What counts is evidence on rows that both answered. On every earlier test set the candidate must not be inferior: the
lower bound of the paired difference's 95 % interval lies above minus a margin (Piaggio et al., "Reporting of
noninferiority and equivalence randomized trials", JAMA 2012). All of them must pass, so that no correction is needed
(Berger, "Multiparameter hypothesis testing and acceptance sampling", 1982). The same holds for perturbed texts, where
any are asked for. On the new test set it must be better for certain. What the rows cannot tell is a question to a
person, never a promotion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tuneloop.core.i18n import t
from tuneloop.core.updating import GateConfig
from tuneloop.evaluation.names import decimals, metric_name
from tuneloop.evaluation.paired import Difference

Verdict = Literal["promote", "hold", "ask"]
Kind = Literal["old", "new", "perturbed"]
Outcome = Literal["gained", "kept", "lost", "unclear"]

NEW = "new"
"""The name of the new rows."""

PLENTY = 1_000_000
"""Rows beyond which nobody is told to label so many."""


@dataclass(frozen=True)
class Evidence:
    """The candidate and the current release on the rows of one test set.

    Args:
        name: of the test set: the release that it belongs to, or "new".
        kind: whether the current release was made for it, or the candidate for more than it; or perturbed texts of
            either.
        rows: how many.
        difference: candidate less current, in the task's primary metric.
    """

    name: str
    kind: Kind
    rows: int
    difference: Difference


@dataclass(frozen=True)
class Reason:
    """What one piece of evidence says.

    Args:
        about: the name of a test set, or "audits".
        outcome: what it says.
        fields: numbers behind it, plain JSON.
    """

    about: str
    outcome: Outcome
    fields: dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """What becomes of the candidate."""

    verdict: Verdict
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON in no language."""
        return asdict(self)


def decide(
    evidence: Sequence[Evidence],
    config: GateConfig,
    *,
    broken: Sequence[str] = (),
    alarms: Mapping[str, Sequence[str]] | None = None,
) -> Decision:
    """The verdict and its reasons, those that stand in the way first.

    Args:
        evidence: one for each test set that both answered.
        broken: rules of the audits' gate that the candidate does not pass, in words.
        alarms: kinds of alarms that it raises and the current release does not, by audit.
    """
    reasons = [_reason(each, config) for each in evidence]
    if broken:
        reasons.append(Reason("audits", "lost", {"rules": list(broken)}))
    if alarms:
        reasons.append(Reason("audits", "unclear", {"alarms": {name: list(each) for name, each in alarms.items()}}))
    order = ("lost", "unclear", "gained", "kept")
    reasons.sort(key=lambda each: order.index(each.outcome))
    outcomes = {each.outcome for each in reasons}
    if "lost" in outcomes:
        verdict: Verdict = "hold"
    elif "gained" in outcomes and "unclear" not in outcomes:
        verdict = "promote"
    else:
        verdict = "ask"
    return Decision(verdict, tuple(reasons))


def _reason(each: Evidence, config: GateConfig) -> Reason:
    found = each.difference
    if found.high < 0 and (each.kind == "new" or found.low < -config.margin):
        outcome: Outcome = "lost"
    elif each.kind == "new":
        outcome = "gained" if found.verdict == "better" else "unclear"
    else:
        outcome = "kept" if found.low >= -config.margin else "unclear"
    fields = asdict(found) | {"rows": each.rows, "margin": config.margin, "kind": each.kind}
    if outcome == "unclear":
        fields["rows_needed"] = _rows_needed(each, config)
    return Reason(each.name, outcome, fields)


def _rows_needed(each: Evidence, config: GateConfig) -> int | None:
    """Rows with which an interval as wide as this one is by chance would tell, if the difference stays what it is.

    None where the difference itself says no, or so many rows are out of reach.
    """
    found = each.difference
    room = found.difference + (0.0 if each.kind == "new" else config.margin)
    reach = found.difference - found.low
    if room <= 0 or reach <= 0:
        return None
    needed = math.ceil(each.rows * (reach / room) ** 2)
    return needed if each.rows < needed < PLENTY else None


def sentences(decision: Mapping[str, Any]) -> list[str]:
    """A decision's JSON in words: the verdict, then each reason, in the language in force."""
    verdicts = {
        "promote": t("Promote: better on the new rows for certain, and nothing is lost on the old ones."),
        "hold": t("Hold: something is worse for certain."),
        "ask": t("Ask a person: the rows cannot tell."),
    }
    return [verdicts[decision["verdict"]], *(_sentence(each) for each in decision["reasons"])]


def rows_name(reason: Mapping[str, Any]) -> str:
    """Which rows a reason is of, in the language in force."""
    name = t("the new rows") if reason["about"] == NEW else str(reason["about"])
    return t("{name}, perturbed", name=name) if reason["fields"]["kind"] == "perturbed" else name


def _sentence(reason: Mapping[str, Any]) -> str:
    fields = reason["fields"]
    if reason["about"] == "audits":
        if "rules" in fields:
            return t("Audits: the candidate does not pass: {rules}", rules=" ".join(fields["rules"]))
        alarms = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in fields["alarms"].items())
        return t("Audits: alarms that the current release does not raise: {alarms}.", alarms=alarms)
    values = {
        "name": rows_name(reason),
        "rows": fields["rows"],
        "metric": metric_name(fields["metric"]),
        "before": decimals(fields["value_b"]),
        "after": decimals(fields["value_a"]),
        "low": decimals(fields["low"], signed=True),
        "high": decimals(fields["high"], signed=True),
        "margin": decimals(fields["margin"]),
    }
    told = t("{name} ({rows} rows): {metric} {before} before, {after} after, difference {low} to {high}", **values)
    endings = {
        "gained": t("better for certain."),
        "lost": t("worse for certain."),
        "kept": t("not worse by more than {margin}.", **values),
        "unclear": t("the rows cannot tell."),
    }
    needed = fields.get("rows_needed")
    more = " " + t("About {needed} rows would, if the difference stays.", needed=needed) if needed else ""
    return f"{told}: {endings[reason['outcome']]}{more}"
