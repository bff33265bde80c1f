"""`make torture` in small: every light victim, refused writes, lost power, a clock set back, and the naive control.

Kills of real trainings are in tests/unit/training/test_resume.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")
"""Where flushing takes no time; for a kill it makes no difference."""


def test_sixty_kills_break_no_promise_and_the_naive_control_is_caught(tmp_path: Path) -> None:
    folder = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path
    command = [sys.executable, "-m", "torture", "--kills", "60", "--trainings", "0", "--updates", "0"]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [*command, "--folder", str(folder)], cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "60 kills" in done.stderr and "every promise was kept" in done.stderr
