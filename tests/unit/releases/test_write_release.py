from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core import fsio
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ModelError, ReleaseError, StorageError
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.releases import index
from tuneloop.releases.compare import compare
from tuneloop.releases.export import export
from tuneloop.releases.proof import Proof, Tools
from tuneloop.releases.read import open_release
from tuneloop.releases.write import write_release

CONFIG = parse_config({"name": "m", "data": {"source": "x.csv"}})
DEV = Examples(ids=["1", "2"], texts=["a", "bbb"], labels=["n", "p"])


class FakeTask:
    primary_metric = "accuracy"
    generates = False

    def decide(self, scores):
        return ["np"[int(row.argmax())] for row in scores]

    def changes(self, scores, others):
        return np.abs(scores - others).max(axis=1)

    def metrics(self, labels, scores):
        return {"accuracy": float(np.mean([a == b for a, b in zip(labels, self.decide(scores), strict=True)]))}


class FakePredictor:
    task = FakeTask()

    def __init__(self, engine):
        self.engine = engine

    def scores(self, inputs):
        rows = np.array([[0.9, 0.1] if len(each) == 1 else [0.1, 0.9] for each in inputs], dtype=np.float32)
        if self.engine == "onnx-int8":
            return rows[:, ::-1]
        return rows + (0.02 * len(inputs) if self.engine == "openvino-bf16" else 0)

    def close(self):
        pass


def fake_export(folder: Path, form: str, out: Path) -> list[Path]:
    path = out / "onnx" / f"{form}.bin"
    path.parent.mkdir(exist_ok=True)
    fsio.write_text(path, form)
    return [path]


SPEEDS = {
    "torch-fp32": 1.0,
    "torch-bf16": 1.5,
    "onnx-fp32": 2.0,
    "onnx-int8": 4.0,
    "openvino-bf16": 3.0,
    "openvino-int8": 0.5,
}
TOOLS = Tools(fake_export, lambda _, engine: FakePredictor(engine), lambda predictor, _: SPEEDS[predictor.engine])


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run-1"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "model.safetensors").write_bytes(bytes(2000))
    (folder / "run.json").write_text(json.dumps({"snapshot_hash": "abc"}))
    return folder


def release(run: Path):
    workspace = Workspace(run.parent / "w")
    return write_release(run, workspace=workspace, config=CONFIG, dev=DEV, evaluation={"metrics": {}}, tools=TOOLS)


def test_a_lossy_form_is_refused_and_a_form_with_batch_effect_is_never_the_default(run):
    made = release(run)
    assert made.engine == "onnx-fp32"
    assert not made.info["forms"]["onnx-int8"]["accepted"]
    assert not (made.path / "onnx" / "onnx-int8.bin").exists()
    assert made.info["forms"]["openvino-bf16"]["batch_effect"] == pytest.approx(0.02, abs=1e-5)


def test_a_form_that_this_machine_cannot_run_is_refused_and_the_others_are_released(run):
    class Failing(FakePredictor):
        def scores(self, inputs):
            if self.engine == "openvino-bf16":
                raise ModelError("OpenVINO fails on this processor: Failed to broadcast")
            return super().scores(inputs)

    tools = Tools(fake_export, lambda _, engine: Failing(engine), TOOLS.speed)
    forms, engine = Proof(run / "model", CONFIG.release, DEV, tools).run(quiet=True)
    assert engine == "onnx-fp32" and not forms["openvino-bf16"]["accepted"]
    assert "Failed to broadcast" in forms["openvino-bf16"]["error"]
    assert not (run / "model" / "onnx" / "openvino-bf16.bin").exists()


def test_where_vectors_are_needed_an_engine_that_tells_them_answers_by_default(run):
    proof = Proof(run / "model", CONFIG.release, DEV, TOOLS, vectors=True)
    forms, engine = proof.run(quiet=True)
    assert engine == "torch-bf16" and forms["onnx-fp32"]["accepted"]


def test_a_flipped_byte_is_an_error_that_names_the_file(run):
    made = release(run)
    weights = made.path / "model.safetensors"
    weights.write_bytes(b"\x01" + weights.read_bytes()[1:])
    with pytest.raises(ReleaseError, match=r"model\.safetensors"):
        open_release(made.id, Workspace(run.parent / "w"))


def test_reindexing_gives_the_same_table(run):
    release(run), release(run)
    workspace = Workspace(run.parent / "w")
    before = index.rows(workspace)
    workspace.index.unlink()
    assert index.reindex(workspace) == before and len(before) == 2
    assert release(run).id == "m-3"


def test_two_releases_of_one_run_differ_in_nothing_and_another_config_is_named(run):
    first, second = release(run), release(run)
    assert compare(first, second) == {"config": {}, "metrics": {}, "data": {}}
    second.info["config"]["training"]["epochs"] = 7
    assert compare(first, second)["config"] == {"training.epochs": [3.0, 7]}


def test_an_exported_copy_is_whole(run, tmp_path):
    made = release(run)
    target = export(made.id, tmp_path / "copy", workspace=Workspace(run.parent / "w"))
    assert (target / "manifest.json").read_bytes() == (made.path / "manifest.json").read_bytes()


def test_releases_at_the_same_time_get_different_numbers(run):
    threads = [threading.Thread(target=release, args=(run,)) for _ in range(6)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert len(index.rows(Workspace(run.parent / "w"))) == 6


def test_releases_are_in_the_order_of_their_numbers_though_the_clock_was_set_back(run):
    workspace = Workspace(run.parent / "w")
    for name, created in (("m-9", "2026-02-01"), ("n-1", "2026-01-15"), ("m-10", "2026-01-01")):
        index.insert(index.Row(name, "run", "hash", created, "fake"), workspace)
    assert [row.id for row in index.rows(workspace)] == ["m-9", "n-1", "m-10"]


def test_a_row_that_could_come_back_keeps_its_folder(run, monkeypatch):
    workspace = Workspace(run.parent / "w")

    def refuse(*_):
        raise StorageError("The disk refuses.", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(index, "insert", refuse)
        with pytest.raises(StorageError):
            release(run)
        assert not list(workspace.releases.iterdir()) and index.rows(workspace) == []
        patch.setattr(index, "withdraw", refuse)
        with pytest.raises(StorageError):
            release(run)
    assert index.rows(workspace) == [] and [row.id for row in index.reindex(workspace)] == ["m-2"]


def test_what_a_dead_writer_left_in_a_run_is_not_released(run):
    leftover = run / "model" / f"{fsio.STAGING_PREFIX}1-0123abcd-knowledge"
    leftover.mkdir()
    (leftover / "half").touch()
    assert not list(release(run).path.glob(".tmp-*"))


def test_an_index_with_a_write_ahead_log_of_an_earlier_version_opens(run):
    workspace = Workspace(run.parent / "w")
    made = release(run).id
    old = sqlite3.connect(workspace.index)
    old.execute("PRAGMA journal_mode=WAL")
    assert [row.id for row in index.rows(workspace)] == [made]  # while another process has it open, it stays as it is
    old.close()
    assert [row.id for row in index.rows(workspace)] == [made]
    with closing(sqlite3.connect(workspace.index)) as now:
        assert now.execute("PRAGMA journal_mode").fetchone() == ("delete",)
