"""Jobs: what they were, how they stand, also after the studio that started them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from tuneloop.core.errors import TuneloopError
from tuneloop.core.paths import Workspace
from tuneloop.studio.jobs import Job, Jobs

WAIT_S = 120


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(Workspace(tmp_path / ".tuneloop"), tmp_path)


def _ended(jobs: Jobs, job: Job) -> Job:
    jobs._children[job.id].wait(WAIT_S)
    return jobs.open(job.id)


@pytest.mark.parametrize(
    ("arguments", "state", "said"),
    [(["methods", "--task", "tagging"], "done", "lora"), (["tune", "nothing.yaml"], "failed", "nothing.yaml")],
)
def test_a_job_is_followed_to_its_end(jobs: Jobs, arguments: list[str], state: str, said: str) -> None:
    job = jobs.start(arguments)
    assert job.running
    ended = _ended(jobs, job)
    assert (ended.state, ended.running) == (state, False)
    assert said in ended.output()


def test_another_studio_sees_the_same_jobs(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.start(["methods"])
    other = Jobs(Workspace(tmp_path / ".tuneloop"), tmp_path)
    assert [each.id for each in other.all()] == [job.id]
    _ended(jobs, job)
    assert other.open(job.id).state == "done"


def test_a_number_that_another_process_has_by_now_is_not_the_job(jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / ".tuneloop" / "studio" / "jobs" / "20260101-000000-000000-0000"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"arguments": ["tune"], "started": "2026-01-01T00:00:00Z"}))
    born_s = psutil.Process().create_time()
    process = folder / "process.json"
    process.write_text(json.dumps({"pid": os.getpid(), "born_s": born_s}))
    assert jobs.open(folder.name).running
    process.write_text(json.dumps({"pid": os.getpid(), "born_s": born_s - 60}))
    assert jobs.open(folder.name).state == "killed"
    jobs.stop(folder.name)  # nothing is sent to the process that has the number now


def test_a_name_from_outside_is_no_path(jobs: Jobs) -> None:
    for name in ("../../etc", "none", "a/b"):
        with pytest.raises(TuneloopError):
            jobs.open(name)


def test_the_output_has_the_last_state_of_each_line(jobs: Jobs, tmp_path: Path) -> None:
    job = Job("x", [], "", tmp_path, running=False, exit_code=0)
    (tmp_path / "output.log").write_bytes("1/3\r2/3\r3/3\nrücken\n".encode())
    assert job.output() == "3/3\nrücken\n"


@pytest.mark.parametrize(
    ("code", "state"), [(0, "done"), (1, "failed"), (2, "failed"), (3, "held"), (130, "stopped"), (None, "killed")]
)
def test_how_a_job_ended_has_a_name(code: int | None, state: str, tmp_path: Path) -> None:
    assert Job("x", [], "", tmp_path, running=False, exit_code=code).state == state
