"""How far a job is."""

from __future__ import annotations

from tuneloop.studio.progress import HowFar, how_far


def test_how_far_a_job_is_stands_in_its_newest_line_of_progress() -> None:
    assert how_far("") is None
    assert how_far("nothing: here\n0/0\nx: 0/0 5s\n") is None
    printed = "preparing data: 4/4 0s\n比较: 3/12 full · all · seed 0 2m 05s\nsome warning: no\n"
    assert how_far(printed) == HowFar("比较", 3, 12, "full · all · seed 0 2m 05s")
    assert how_far("searching: 9/5") == HowFar("searching", 5, 5, "")
