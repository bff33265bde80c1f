"""The record of deployments: what holds after any order of changes, any crash, and any number of writers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.releases import make_release
from tuneloop.core.errors import ReleaseError, StorageError
from tuneloop.core.paths import Workspace
from tuneloop.releases import index
from tuneloop.releases.deployment import Follower, deployed, history, keep_figures
from tuneloop.releases.promotion import abort, check, note_failure, promote, rollback, try_out

BOTH = pytest.mark.parametrize("workspace", ["sqlite", "postgres"], indirect=True)
"""A promise that the record keeps in a file and in PostgreSQL."""


@pytest.fixture
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """Holds the releases m-1 to m-4, as far as the record cares for them."""
    found = Workspace(tmp_path / "w")
    if getattr(request, "param", "sqlite") == "postgres":
        found.root.mkdir()
        (found.root / "database.url").write_text(request.getfixturevalue("postgres"))
    for number in range(1, 5):
        make_release(found, f"m-{number}")
    return found


@BOTH
def test_without_a_record_the_newest_answers_and_nothing_is_written(workspace: Workspace) -> None:
    state = deployed("m", workspace)
    assert (state.current, state.before, state.change) == ("m-4", "m-3", 0)
    assert not Follower(workspace).changed()
    assert not workspace.deployments.exists()


@BOTH
def test_a_rollback_goes_to_the_release_before_and_further_back_the_next_time(workspace: Workspace) -> None:
    for release in ("m-1", "m-3", "m-2"):
        promote(release, workspace, who="ann")
    assert deployed("m", workspace).releases[-3:] == ("m-1", "m-3", "m-2")
    assert rollback("m", workspace, who="ann", why="complaints").release == "m-3"
    assert rollback("m", workspace, who="ann").release == "m-1"
    assert deployed("m", workspace).current == "m-1"
    found = history("m", workspace)
    assert [(each.kind, each.release) for each in found] == [
        ("promote", "m-1"), ("promote", "m-3"), ("promote", "m-2"), ("rollback", "m-3"), ("rollback", "m-1"),
    ]  # fmt: skip
    assert found[3].why == "complaints" and found[3].details["before"] == "m-2" and found[3].who == "ann"


@BOTH
def test_who_acts_on_what_no_longer_holds_is_told_and_changes_nothing(workspace: Workspace) -> None:
    promote("m-1", workspace, who="ann", after=0)
    seen = deployed("m", workspace).change
    promote("m-2", workspace, who="ann", after=seen)
    for act in (
        lambda: promote("m-3", workspace, who="bob", after=seen),
        lambda: try_out("m-3", workspace, stage="canary", share=0.1, who="bob", after=seen),
        lambda: rollback("m", workspace, who="bob", after=seen),
        lambda: rollback("m", workspace, who="bob", after=0, dry_run=True),
    ):
        with pytest.raises(ReleaseError, match="was changed meanwhile: m-2 answers"):
            act()
    assert len(history("m", workspace)) == 2
    assert rollback("m", workspace, who="bob", after=2).after.current == "m-1"


def test_a_rollback_works_where_nothing_was_ever_deployed(workspace: Workspace) -> None:
    assert rollback("m", workspace, who="ann").after.current == "m-3"


@BOTH
def test_a_rollback_takes_out_what_is_being_tried_before_it_touches_what_answers(workspace: Workspace) -> None:
    promote("m-2", workspace, who="ann")
    tried = try_out("m-3", workspace, stage="canary", share=0.1, who="ann")
    assert tried.after.candidate is not None and tried.after.candidate.share == 0.1
    keep_figures(tried.number, "here", {"asked": 7}, workspace)
    taken_out = rollback("m", workspace, who="ann")
    assert (taken_out.kind, taken_out.release, taken_out.after.current) == ("abort", "m-3", "m-2")
    assert taken_out.details["figures"] == {"here": {"asked": 7}} and taken_out.after.candidate is None
    assert rollback("m", workspace, who="ann").after.current == "m-4"  # which answered before m-2 was deployed


def test_a_candidate_is_tried_beside_the_newest_of_the_others_and_its_promotion_ends_the_trial(
    workspace: Workspace,
) -> None:
    assert try_out("m-4", workspace, stage="shadow", share=1.0, who="ann").after.current == "m-3"
    second = try_out("m-4", workspace, stage="canary", share=0.2, who="ann")
    assert second.after.candidate is not None and second.after.candidate.change == second.number == 2
    made = promote("m-4", workspace, who="ann")
    assert made.after.candidate is None and (made.after.before, made.after.current) == ("m-3", "m-4")
    assert made.details["candidate"] == "m-4" and made.details["stage"] == "canary"


def test_the_current_release_is_not_tried_beside_itself(workspace: Workspace) -> None:
    promote("m-2", workspace, who="ann")
    with pytest.raises(ReleaseError, match="is the current release"):
        try_out("m-2", workspace, stage="shadow", share=1.0, who="ann")
    assert len(history("m", workspace)) == 1


def test_promoting_the_current_release_again_does_not_make_it_its_own_predecessor(workspace: Workspace) -> None:
    for release in ("m-1", "m-2", "m-2"):
        promote(release, workspace, who="ann")
    assert rollback("m", workspace, who="ann").after.current == "m-1"


def test_a_rollback_passes_over_what_is_gone_or_cut_short(workspace: Workspace) -> None:
    for release in ("m-1", "m-2", "m-3"):
        promote(release, workspace, who="ann")
    (workspace.releases / "m-2" / "model.safetensors").write_bytes(b"short")
    made = rollback("m", workspace, who="ann")
    assert made.after.current == "m-1" and made.details["passed_over"] == ["m-2"]


def test_where_there_is_nothing_to_go_back_to_the_record_stays(workspace: Workspace) -> None:
    make_release(workspace, "one-1")
    with pytest.raises(ReleaseError, match="no earlier release of one"):
        rollback("one", workspace, who="ann")
    with pytest.raises(ReleaseError, match="There is no release nobody"):
        rollback("nobody", workspace, who="ann")
    assert history("one", workspace) == history("nobody", workspace) == []


@BOTH
def test_a_dry_run_tells_the_change_and_makes_none(workspace: Workspace) -> None:
    assert promote("m-1", workspace, who="ann", dry_run=True).after.current == "m-1"
    assert rollback("m", workspace, who="ann", dry_run=True).after.current == "m-3"
    assert try_out("m-4", workspace, stage="canary", share=0.5, who="ann", dry_run=True).after.candidate is not None
    assert not workspace.deployments.exists()


@BOTH
def test_a_candidate_is_aborted_only_as_long_as_it_is_the_one_that_was_judged(workspace: Workspace) -> None:
    first = try_out("m-4", workspace, stage="canary", share=0.1, who="ann").after.candidate
    second = try_out("m-4", workspace, stage="canary", share=0.2, who="ann").after.candidate
    assert first is not None and second is not None
    assert abort(first, workspace, who="server", why="worse", details={}) is None
    assert deployed("m", workspace).candidate == second
    assert abort(second, workspace, who="server", why="worse", details={}) is not None
    assert abort(second, workspace, who="server", why="worse", details={}) is None
    assert deployed("m", workspace).candidate is None


@BOTH
def test_a_failure_is_noted_once_and_changes_nothing(workspace: Workspace) -> None:
    last = promote("m-2", workspace, who="ann").number
    noted = note_failure("m", "m-2", workspace, who="server", why="damaged", last=last)
    assert noted is not None and noted.after.current == "m-2"
    assert note_failure("m", "m-2", workspace, who="server", why="damaged", last=last) is None
    assert note_failure("m", "m-2", workspace, who="server", why="damaged", last=noted.number) is None
    assert [each.kind for each in history("m", workspace)] == ["promote", "failed"]


REFUSED = {
    "no release": ("m-9", "There is no release m-9"),
    "a damaged one": ("m-3", "is damaged"),
    "another task": ("m-5", "answers the task regression, and m-4 answers classification"),
    "an audit that fails": ("m-2", "does not pass its gate"),
}


@pytest.mark.parametrize(("release", "says"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_deployed_is_refused(release: str, says: str, workspace: Workspace) -> None:
    (workspace.releases / "m-3" / "model.safetensors").write_bytes(b"changed!")
    audit = {"gate": {"rules": [{"kind": "leakage", "count": 2, "passed": False}]}}
    (workspace.audits / "m-2").mkdir(parents=True)
    (workspace.audits / "m-2" / "audit.json").write_text(json.dumps(audit))
    promote("m-4", workspace, who="ann")
    make_release(workspace, "m-5", task="regression")
    assert check("m-1", workspace, stage="canary").id == "m-1"
    with pytest.raises(ReleaseError, match=says):
        check(release, workspace)


def test_writers_are_promoted_and_not_tried_request_by_request(workspace: Workspace) -> None:
    for number in (1, 2):
        make_release(workspace, f"w-{number}", task="generation")
    assert check("w-2", workspace).id == "w-2"
    with pytest.raises(ReleaseError, match="writes texts"):
        check("w-2", workspace, stage="shadow")


@BOTH
def test_rebuilding_the_index_leaves_the_record_alone(workspace: Workspace) -> None:
    promote("m-2", workspace, who="ann")
    workspace.index.unlink(missing_ok=True)
    index.withdraw("m-3", workspace)
    assert [row.id for row in index.reindex(workspace)] == ["m-1", "m-2", "m-3", "m-4"]
    assert deployed("m", workspace).current == "m-2"


@BOTH
def test_a_follower_is_told_of_each_change_of_others_once(workspace: Workspace) -> None:
    follower = Follower(workspace)
    promote("m-1", workspace, who="ann")
    assert follower.changed() and not follower.changed()
    promote("m-2", workspace, who="ann")
    assert follower.changed() and not follower.changed()
    follower.close()


def test_a_damaged_record_is_one_clear_error(workspace: Workspace) -> None:
    workspace.deployments.write_bytes(b"no database at all, " * 100)
    with pytest.raises(StorageError, match="is damaged"):
        deployed("m", workspace)


@BOTH
def test_many_writers_at_once_lose_no_change_and_no_number(workspace: Workspace) -> None:
    def work(number: int) -> int:
        promote(f"m-{1 + number % 4}", workspace, who="ann")
        try:
            rollback("m", workspace, who="ann")
        except ReleaseError:  # others have gone back to the first already
            return 1
        return 2

    with ThreadPoolExecutor(8) as pool:
        made = sum(pool.map(work, range(30)))
    found = history("m", workspace)
    assert [each.number for each in found] == list(range(1, made + 1))
    assert found[-1].after == deployed("m", workspace)


PROGRAM = """
import sys
from pathlib import Path
from tuneloop.core.paths import Workspace
from tuneloop.releases.promotion import promote, rollback, try_out
place = Workspace(Path(sys.argv[1]))
while True:
    for step in (
        lambda: promote("m-1", place, who="a"),
        lambda: try_out("m-2", place, stage="canary", share=0.1, who="a"),
        lambda: promote("m-2", place, who="a"),
        lambda: rollback("m", place, who="a"),
    ):
        print(step().number, flush=True)
"""


def test_a_change_that_was_told_survives_a_kill_and_one_that_was_not_is_whole_or_absent(workspace: Workspace) -> None:
    draw = random.Random(0)
    for _ in range(8):
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(workspace.root)], stdout=subprocess.PIPE, text=True
        )
        assert program.stdout is not None
        told = [int(program.stdout.readline()) for _ in range(draw.randrange(1, 12))]
        os.kill(program.pid, signal.SIGKILL)
        rest = program.stdout.read().split("\n")
        program.wait()
        program.stdout.close()
        told += [int(line) for line in rest[:-1]]
        found = history("m", workspace)
        assert [each.number for each in found] == list(range(1, len(found) + 1))
        assert len(found) - told[-1] in (0, 1)
        assert deployed("m", workspace) == found[-1].after


class AnyOrder(RuleBasedStateMachine):
    """The record beside a list and a name in memory, for commands in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.workspace = Workspace(Path(self.folder.name))
        for number in range(1, 4):
            make_release(self.workspace, f"m-{number}")
        self.releases, self.candidate = ["m-1", "m-2", "m-3"], ""
        self.begun = False

    @rule(release=st.sampled_from(["m-1", "m-2", "m-3"]))
    def promote(self, release: str) -> None:
        promote(release, self.workspace, who="a")
        if not self.begun:
            self.releases.remove(release)
        if self.releases[-1] != release:
            self.releases.append(release)
        self.candidate, self.begun = "", True

    @rule(release=st.sampled_from(["m-1", "m-2", "m-3"]), stage=st.sampled_from(["shadow", "canary"]))
    def try_out(self, release: str, stage: str) -> None:
        if self.begun and self.releases[-1] == release:
            with pytest.raises(ReleaseError):
                try_out(release, self.workspace, stage=stage, share=0.5, who="a")
            return
        try_out(release, self.workspace, stage=stage, share=0.5, who="a")
        if not self.begun:
            self.releases.remove(release)
        self.candidate, self.begun = release, True

    @rule()
    def rollback(self) -> None:
        back = [place for place, each in enumerate(self.releases[:-1]) if each != self.releases[-1]]
        if not self.candidate and not back:
            with pytest.raises(ReleaseError):
                rollback("m", self.workspace, who="a")
            return
        rollback("m", self.workspace, who="a")
        if self.candidate:
            self.candidate = ""
        else:
            del self.releases[back[-1] + 1 :]
        self.begun = True

    @precondition(lambda self: hasattr(self, "workspace"))
    @invariant()
    def holds_what_is_expected(self) -> None:
        state = deployed("m", self.workspace)
        assert list(state.releases) == self.releases[-50:]
        assert (state.candidate.release if state.candidate else "") == self.candidate

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=10, stateful_step_count=15, deadline=None)
