"""The page of an audit.json, in the language in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tuneloop.audits import AUDITS
from tuneloop.audits.base import Audit
from tuneloop.audits.gate import sentence
from tuneloop.audits.run import alarms
from tuneloop.core.i18n import t
from tuneloop.core.page import bullets, gap, page, paragraph, section, table

SHOWN = 20
"""Findings of one audit that the page shows; audit.json has them all."""


def audit_html(found: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [_summary(found), _gate(found)]
    parts += [_audit(AUDITS.get(name), each) for name, each in found["audits"].items()]
    return page(t("Audit of {name}", name=found["subject"]), filter(None, parts))


def figure_rows(kind: type[Audit], figures: Mapping[str, Any]) -> list[list[str]]:
    """Name, value and interval, and number of cases of every figure; an arrow says that lower is better."""
    return [
        [
            kind.figure_title(name) + (" \u2193" if figure["better"] == "lower" else ""),
            _value(kind, name, figure),
            str(figure["n"] or ""),
        ]
        for name, figure in figures.items()
    ]


def figure_headers() -> list[str]:
    """The names of the columns of `figure_rows`."""
    return [t("figure"), t("value and 95 % interval"), t("cases")]


def finding_text(name: str, finding: Mapping[str, Any]) -> str:
    """A finding in words."""
    fields = {key: value for key, value in finding.items() if key not in ("kind", "severity")}
    return AUDITS.get(name).sentence(finding["kind"], fields)


def _summary(found: Mapping[str, Any]) -> Markup:
    raised = alarms(found)
    text = t(
        "{rows} rows of the test split were looked at; the model answered as {model}, made {created}.",
        rows=found["rows"], model=found["model"], created=found["created"][:10],
    )  # fmt: skip
    text += gap() + t("In brackets: 95 % intervals. An arrow down: lower is better.")
    parts = [paragraph(text, "lead")]
    if raised:
        parts += [
            paragraph(t("Alarms: {count}", count=len(raised)), "worse"),
            bullets(finding_text(name, each) for name, each in raised[:SHOWN]),
        ]
    else:
        parts.append(paragraph(t("No audit raised an alarm. That is no proof that nothing is wrong."), "unclear"))
    return Markup("\n").join(parts)


def _gate(found: Mapping[str, Any]) -> Markup | None:
    gate = found["gate"]
    if not gate["required"]:
        return None
    verdict = t("The release passes its gate.") if gate["passed"] else t("The release does not pass its gate.")
    rows = [[t("passed") if rule["passed"] else t("failed"), sentence(rule)] for rule in gate["rules"]]
    return section(t("Gate"), paragraph(verdict, "better" if gate["passed"] else "worse"), table(["", t("rule")], rows))


def _audit(kind: type[Audit], found: Mapping[str, Any]) -> Markup:
    if "skipped" in found:
        return section(kind.title(), paragraph(t("Left out: {why}", why=found["skipped"]), "note"))
    parts = [table(figure_headers(), figure_rows(kind, found["figures"]))] if found["figures"] else []
    findings = [finding_text(kind.name, each) for each in found["findings"]]
    if findings:
        parts.append(bullets(findings[:SHOWN]))
    if len(findings) > SHOWN:
        parts.append(paragraph(t("{count} more stand in audit.json.", count=len(findings) - SHOWN), "note"))
    parts += kind.parts(found)
    parts.append(paragraph(t("Took {seconds:.1f} s.", seconds=found["seconds"]), "note"))
    return section(kind.title(), *parts)


def _value(kind: type[Audit], name: str, figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "-"
    text = kind.figure_text(name, figure["value"])
    if figure["low"] is None or figure["high"] is None:
        return text
    return f"{text} [{kind.figure_text(name, figure['low'])}, {kind.figure_text(name, figure['high'])}]"
