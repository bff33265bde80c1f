"""Decisions of earlier updates are read back, and shown as tables of the paired tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.loop.decision_page import evidence_headers, evidence_rows
from tuneloop.loop.decisions import decision, decisions

FIELDS = {
    "metric": "macro_f1", "value_a": 0.8, "value_b": 0.7, "difference": 0.1, "low": -0.01, "high": 0.2, "p": 0.0625,
    "verdict": "cannot tell", "rows": 1200, "margin": 0.02,
}  # fmt: skip
REASONS: list[dict[str, Any]] = [
    {"about": "new", "outcome": "unclear", "fields": FIELDS | {"kind": "new", "rows_needed": 5000}},
    {"about": "mood-1", "outcome": "kept", "fields": FIELDS | {"kind": "old"}},
    {"about": "audits", "outcome": "lost", "fields": {"rules": ["no"]}},
]


def write(workspace: Workspace, update: str, created: str) -> Path:
    path = workspace.updates / update / "decision.json"
    path.parent.mkdir(parents=True)
    name = update.partition("-")[0]
    plain = {"name": name, "created": created, "verdict": "ask", "reasons": REASONS, "tried": []}
    path.write_text(json.dumps(plain))
    return path


def test_decisions_come_newest_first_and_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert decisions(workspace) == []
    for update, created in (("mood-1", "2026-01-01"), ("mood-2", "2026-01-03"), ("other-1", "2026-01-02")):
        write(workspace, update, created)
    write(workspace, "mood-3", "2026-01-04").write_text("{}")
    (workspace.updates / "rows").mkdir()
    assert [each["id"] for each in decisions(workspace)] == ["mood-2", "other-1", "mood-1"]
    assert [each["id"] for each in decisions(workspace, "mood")] == ["mood-2", "mood-1"]
    assert decision("other-1", workspace)["name"] == "other"
    with pytest.raises(DataError, match="no decision"):
        decision("mood-3", workspace)
    with pytest.raises(DataError, match="There is no update rows"):
        decision("rows", workspace)
    with pytest.raises(TuneloopError, match="not a valid name"):
        decision("../mood-1", workspace)


def test_each_set_of_rows_is_a_row_with_its_test() -> None:
    rows = evidence_rows(REASONS)
    assert [len(row) for row in rows] == [len(evidence_headers())] * 2
    assert rows[0][0] == "the new rows" and rows[0][-1] == "5,000" and rows[0][1] == "1,200"
    assert rows[1][:1] + rows[1][-2:] == ["mood-1", "not worse by more than the margin", ""]
    assert rows[0][3:5] == ["0.700", "0.800"] and rows[0][6] == "0.062"
