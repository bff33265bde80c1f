"""Where a release comes from and what became of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.releases import make_release
from tuneloop import api
from tuneloop.core.paths import Workspace
from tuneloop.loop.origin import MOST_CHANGES, decision_of, origin
from tuneloop.releases.listed import listed
from tuneloop.releases.promotion import promote, try_out
from tuneloop.releases.read import open_release
from tuneloop.watch.base import Event, Feedback
from tuneloop.watch.sqlite_store import SqliteStore


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """m-2 went on from m-1 by an update, each of a run and a file of its own, both with the same name."""
    place = Workspace(tmp_path)
    for number in (1, 2):
        make_release(place, f"m-{number}")
        path = place.releases / f"m-{number}" / "release.json"
        sources = {"train": {"file": "<b>.csv", "rows": number, "sha256": f"{number}" * 64}}
        lineage = {"run": f"run-{number}", "seed": 0, "data": {"hash": f"{number}" * 64, "sources": sources}}
        lineage |= {"went_on_from": {"model": "m-1", "run": "run-1"}} if number == 2 else {}
        path.write_text(json.dumps(json.loads(path.read_text()) | {"lineage": lineage}))
    folder = place.updates / "m-20260101-000000-ab12"
    folder.mkdir(parents=True)
    (folder / "decision.json").write_text(json.dumps({"release": "m-2", "verdict": "promote"}))
    (place.updates / "m-20260102-000000-ab12").mkdir()
    (place.updates / "m-20260102-000000-ab12/decision.json").write_text("{broken")
    return place


def test_a_release_stands_between_what_it_came_from_and_what_came_of_it(workspace: Workspace) -> None:
    found = origin(open_release("m-2", workspace, verify=False), workspace)
    assert {
        ("run run-1", "release m-1"), ("release m-1", "run run-2"), ("run run-2", "release m-2"),
        ("data 222222222222", "run run-2"), ("file <b>.csv 222222222222", "data 222222222222"),
        ("file <b>.csv 111111111111", "data 111111111111"), ("data 111111111111", "run run-1"),
        ("run run-2", "update m-20260101-000000-ab12"), ("update m-20260101-000000-ab12", "release m-2"),
    } == set(found.edges)  # fmt: skip
    assert {each for edge in found.edges for each in edge} == {node.id for node in found.nodes}
    gone = {node.name for node in found.nodes if not node.there}
    assert {"run-1", "run-2"} <= gone


def test_what_went_on_from_a_release_is_told_too(workspace: Workspace) -> None:
    found = origin(open_release("m-1", workspace, verify=False), workspace)
    assert ("release m-1", "release m-2") in found.edges


def test_deployments_answers_and_feedback_are_counted(workspace: Workspace) -> None:
    for _ in range(MOST_CHANGES):
        promote("m-2", workspace, who="ann")
        promote("m-1", workspace, who="ann")
    with_events = SqliteStore(workspace.events)
    events = [Event(f"e{n}", float(n), "m-2", "hash", "x", None) for n in range(3)]
    with_events.add_events([*events, Event("other", 9.0, "m-1", "hash", "x", None)])
    with_events.add_feedback([Feedback("k", "e1", None, True, 10.0)])
    with_events.close()
    found = api.origin("m-2", workspace=workspace.root, store="")
    kinds = [node.kind for node in found.nodes]
    assert kinds.count("deployment") == MOST_CHANGES
    counts = {node.kind: node.facts["count"] for node in found.nodes if node.kind in ("events", "feedback")}
    assert counts == {"events": 3, "feedback": 1}
    assert ("events m-2", "feedback m-2") in found.edges


def test_the_decision_of_the_update_that_made_a_release_is_found(workspace: Workspace) -> None:
    found = decision_of("m-2", workspace)
    assert found is not None and found[0] == "m-20260101-000000-ab12" and found[1]["verdict"] == "promote"
    assert decision_of("m-1", workspace) is None


def test_a_list_tells_the_main_figure_and_what_answers(workspace: Workspace) -> None:
    figures = {"task": {"primary_metric": "accuracy"}, "metrics": {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}}
    (workspace.releases / "m-1" / "evaluation.json").write_text(json.dumps(figures))
    (workspace.releases / "m-2" / "evaluation.json").write_text("[]")
    assert [each.state for each in listed(api.releases(workspace=workspace.root), workspace)] == ["", ""]
    promote("m-1", workspace, who="ann")
    try_out("m-2", workspace, stage="shadow", share=1.0, who="ann")
    first, second = listed(api.releases(workspace=workspace.root), workspace)
    assert (first.metric, first.figure, first.state) == ("accuracy", figures["metrics"]["accuracy"], "current")
    assert (second.metric, second.figure, second.state) == ("", None, "shadow")
