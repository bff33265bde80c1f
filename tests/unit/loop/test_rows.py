"""New rows, of files and of feedback."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.loop.decision_page import collected
from tuneloop.loop.rows import collect
from tuneloop.watch.base import Event, Feedback


def test_feedback_of_which_nothing_is_left_out_is_told_too(tmp_path: Path) -> None:
    said = [
        (
            Feedback(f"k{row}", f"r.{row}", "yes", None, 2.0),
            Event(f"r.{row}", 1.0, "mood-1", "ff", "no", 0.9, text=text),
        )
        for row, text in enumerate(["a b", "c d"])
    ]
    config = parse_config({"name": "mood", "data": {"source": "x.csv"}, "task": "classification"})
    rows = collect([], said, config=config, classes=["yes", "no"], known=(), workspace=Workspace(tmp_path))
    left_out = ("repeated", "contradictory", "without_label", "without_text", "unknown_class", "known")
    assert rows.feedback == {"used": 2, **dict.fromkeys(left_out, 0)}
    assert list(collected(rows.to_json())) == ["feedback: 2 rows"]
