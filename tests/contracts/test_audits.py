"""What every audit promises: declared figures and findings, plain JSON, words in both languages, equal runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.audited import hotel_subject
from tuneloop.audits import AUDITS
from tuneloop.audits.page import audit_html
from tuneloop.audits.run import run_audits
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.i18n import use_language

TIMED = {"cost"}
"""Audits whose figures are times."""


def audited(name: str) -> dict[str, Any]:
    return run_audits(hotel_subject(), AuditConfig(audits=(name,)), quiet=True)


@pytest.mark.parametrize("name", AUDITS.names())
def test_an_audit_keeps_to_what_it_declares_and_reads_in_both_languages(name: str) -> None:
    found = audited(name)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    pages = []
    for language in ("en", "zh"):
        use_language(language)
        try:
            pages.append(audit_html(found))
        finally:
            use_language(None)
    assert pages[0] != pages[1]
    kind = AUDITS.get(name)
    assert kind.__doc__ and kind.__doc__.splitlines()[0].endswith("?")
    for figure in kind.figures:
        assert kind.figure_title(figure)


@pytest.mark.parametrize("name", [name for name in AUDITS.names() if name not in TIMED])
def test_an_audit_finds_the_same_when_it_is_run_again(name: str) -> None:
    first, second = (audited(name)["audits"][name] for _ in range(2))
    first.pop("seconds", None), second.pop("seconds", None)
    assert first == second
