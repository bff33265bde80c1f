"""What an exported file holds, and what is said when a model cannot be exported."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.inference import export


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings = {"task": {"type": "classification", "options": {}}, "state": {}, "max_tokens": 16, "clean": {}}
    (tmp_path / "tuneloop.json").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr(export, "_model", lambda _: None)
    monkeypatch.setattr(export, "input_names", lambda _: ["input_ids"])
    return tmp_path


@pytest.mark.parametrize(("form", "writer"), [("onnx-int8", "write_onnx"), ("openvino-bf16", "write_openvino")])
@pytest.mark.parametrize("fault", [RuntimeError("no such operator"), KeyError("aten::x"), AttributeError("gone")])
def test_any_fault_of_an_exporter_is_one_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, form: str, writer: str, fault: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(export, writer, fail)
    with pytest.raises(ModelError, match=f"(?s)cannot be exported as {form}.*Leave {form} out of release.forms"):
        export.export_form(folder, form, folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / "tuneloop.json"]


def test_a_missing_package_is_named_and_logging_works_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MissingExtraError("openvino", "openvino")

    monkeypatch.setattr(export, "write_openvino", fail)
    with pytest.raises(MissingExtraError, match="openvino"):
        export.export_form(folder, "openvino-int8", folder)
    assert logging.getLogger("torch").isEnabledFor(logging.WARNING)
