from __future__ import annotations

from importlib.metadata import version

import pytest

from tuneloop.cli.app import run


def test_the_version_is_printed_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == version("tuneloop")
