"""What the machine can do: measured small, kept, found again on this machine alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuneloop.models import roofline


@pytest.fixture(scope="module")
def measured() -> roofline.Roofline:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roofline, "SIZES", (64, 128))
        patch.setattr(roofline, "TRIAD_BYTES", 1 << 16)
        return roofline.measure(seconds=0.02, quiet=True)


def test_every_limit_is_a_speed(measured: roofline.Roofline) -> None:
    assert all(value > 1e6 for value in (measured.fp32, measured.bf16, measured.int8, measured.memory))
    assert measured.peak("fp32") == measured.peak("onnx-fp32") == measured.fp32
    assert measured.peak("openvino-int8") == measured.int8
    assert measured.peak("bf16") == measured.bf16
    assert measured.peak("") is None


def test_it_is_found_on_the_machine_that_it_was_measured_on_alone(
    measured: roofline.Roofline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert roofline.known(tmp_path) is None
    path = roofline.keep(measured, tmp_path)
    assert roofline.known(tmp_path) == measured
    path.write_text("{}")
    assert roofline.known(tmp_path) is None
    roofline.keep(measured, tmp_path)
    monkeypatch.setattr(roofline, "machine", lambda: "another, 64 threads")
    assert roofline.known(tmp_path) is None


def test_threads_are_as_many_as_cores_or_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "usable_cores", lambda: 8)
    for wanted, found in {"": 8, "2": 2, "16": 8, "x": 8, "0": 8}.items():
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        assert roofline.threads() == found


def test_the_best_size_counts_and_what_would_take_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, tried = {512: 1e-3, 1024: 4e-3, 2048: 0.4, 4096: 9.0}, []

    def prepared(size: int) -> Any:
        tried.append(size)
        return size

    monkeypatch.setattr(roofline, "fastest", lambda product, _: seconds[product])
    assert roofline._products(prepared, 2.0) == 2 * 1024**3 / 4e-3
    assert tried == [512, 1024, 2048]
