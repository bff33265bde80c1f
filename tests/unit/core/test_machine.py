"""What is missing on a machine is told of every extra that users may want."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tuneloop.core import machine

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_extra_is_looked_at_with_all_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_version", lambda name: "1.0" if name == "tuneloop" else "")
    found = machine.missing_extras()
    assert found.keys() == PROJECT["optional-dependencies"].keys() - machine.DEVELOPERS
    assert found["onnx"] == ("onnx", "onnxruntime", "onnxscript") and "fastapi" in found["serve"]


def test_what_is_installed_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_version", lambda name: "" if name == "onnxscript" else "1.0")
    assert machine.missing_extras() == {"onnx": ("onnxscript",)}
