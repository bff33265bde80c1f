"""An application in a process of its own, as its clients see it: for the tests of applications."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

WAIT_S = 120


@contextmanager
def running(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of `python app.py` in `folder`, on a free port; it ends with the block.

    The first line that it prints ends with the address; it takes its port from the variable PORT.

    Args:
        environment: on top of this process's own.

    Raises:
        RuntimeError: if it prints anything else, or ends.
    """
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=folder, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PORT": "0", **(environment or {})},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        words = process.stdout.readline().split()
        if not words or not words[-1].startswith("http"):
            raise RuntimeError(f"{folder / 'app.py'} did not start: it printed {' '.join(words)!r}")
        yield words[-1]
    finally:
        process.terminate()
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def asked(url: str, body: Any = None) -> Any:
    """The JSON that a route answers, to a POST of `body` if there is one.

    Raises:
        urllib.error.HTTPError: if it refuses.
    """
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=WAIT_S) as answer:
        return json.load(answer)
