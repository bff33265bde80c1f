"""A real S3 server on localhost: moto's, which `make test-long` puts into a folder of its own.

Its clients' library wants an older python-dateutil than the rest of the environment; so it is a process with a path of
its own, and what is tested speaks to it over HTTP as to any other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(sys.prefix) / "moto"
PROGRAM = "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address."""
    if not FOLDER.is_dir():
        pytest.skip("moto is not installed: make test-long")
    environment = os.environ | {"PYTHONPATH": str(FOLDER), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
            yield found[0]
        finally:
            process.kill()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The URL of an empty place there."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    reset = urllib.request.Request(f"{s3_server}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/bucket", method="PUT")).close()
    return "s3://bucket/shared"
