"""Running audits one after the other, and the one JSON that comes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from tuneloop.audits import AUDITS
from tuneloop.audits.base import Audit, Outcome, Subject, Tell, rows_of
from tuneloop.audits.gate import check_gate, verdict
from tuneloop.core.config import parse_options
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.errors import MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.media.items import is_item

VERSION = 1


def create_audits(config: AuditConfig) -> list[Audit]:
    """The audits that a configuration asks for, with their options.

    Raises:
        ConfigError: if there is no such audit, it has no such option, or the gate names what no audit finds.
    """
    kinds = {name: AUDITS.get(name) for name in config.audits or AUDITS.names()}
    for name in config.options:
        AUDITS.get(name)
    check_gate(config, kinds)
    return [
        kind(parse_options(kind.Options, config.options.get(name, {}), where=f"audit {name}"))
        for name, kind in kinds.items()
    ]


def run_audits(subject: Subject, config: AuditConfig, *, quiet: bool = False) -> dict[str, Any]:
    """The content of audit.json: what every audit found, and whether a release may go out.

    Raises:
        ConfigError: see `create_audits` and `Audit.check`; before anything is asked.
    """
    audits = create_audits(config)
    refusals = {audit.name: _only_texts(audit, subject) or audit.refuses(subject) for audit in audits}
    for audit in audits:
        if not refusals[audit.name]:
            audit.check(subject)
    found: dict[str, Any] = {}
    with progress(t("auditing"), len(audits), quiet=quiet) as bar:
        for number, audit in enumerate(audits):
            bar.update(number, audit.title())
            why = refusals[audit.name]
            tell = partial(bar.update, number)
            found[audit.name] = {"skipped": why} if why else _run(audit, subject, tell)
        bar.update(len(audits))
    return {
        "version": VERSION, "subject": subject.name, "model": subject.model.name,
        "created": datetime.now(UTC).isoformat(), "seed": subject.seed, "rows": len(subject.test),
        "settings": config.model_dump(mode="json"), "audits": found, "gate": verdict(config, found),
    }  # fmt: skip


def _only_texts(audit: Audit, subject: Subject) -> str:
    """Why an audit of texts has nothing to say of rows that are more than that; empty where they are texts."""
    if audit.reads_texts and any(map(is_item, subject.test.texts[:1])):
        return t("it looks into texts, and these rows are made of several modalities.")
    return ""


def _run(audit: Audit, subject: Subject, tell: Tell) -> dict[str, Any]:
    began_s = time.perf_counter()
    try:
        outcome = audit.run(subject, tell)
    except MissingExtraError as error:
        return {"skipped": f"{error.problem} {error.hint}".strip()}
    return outcome_json(audit, outcome) | {"seconds": round(time.perf_counter() - began_s, 2)}


def outcome_json(audit: Audit, outcome: Outcome) -> dict[str, Any]:
    """An outcome as it stands in audit.json."""
    unknown = [name for name in outcome.figures if audit.better(name) is None]
    looked_for = tuple(audit.findings) if outcome.looked_for is None else outcome.looked_for
    unknown += [kind for kind in looked_for if kind not in audit.findings]
    unknown += [finding.kind for finding in outcome.findings if finding.kind not in audit.findings]
    if unknown:
        raise ValueError(f"the audit {audit.name} does not declare {', '.join(unknown)}")
    return {
        "options": audit.options.model_dump(mode="json"),
        "figures": {name: asdict(figure) | {"better": audit.better(name)} for name, figure in outcome.figures.items()},
        "findings": [
            {"kind": finding.kind, "severity": audit.findings[finding.kind], **finding.fields}
            for finding in outcome.findings
        ],
        "looked_for": list(looked_for),
        "details": outcome.details,
    }


def alarms(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every alarm of an audit.json, with the name of its audit."""
    return [
        (name, finding)
        for name, each in found["audits"].items()
        for finding in each.get("findings", ())
        if finding["severity"] == "alarm"
    ]


def with_rows(subject: Subject, rows: int) -> Subject:
    """The subject with a test split of at most so many rows."""
    return replace(subject, test=rows_of(subject.whole_test, rows, np.random.default_rng(subject.seed)))
