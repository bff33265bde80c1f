"""When a release calibrates int8, on which texts, and what it says of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.errors import ModelError
from tuneloop.data.examples import Examples
from tuneloop.inference.engine import DYNAMIC, ENGINES, STATIC
from tuneloop.releases.calibration import calibration_rows, told
from tuneloop.releases.proof import Proof, Tools

DEV = Examples(ids=["1", "2"], texts=["a", "bbb"], labels=["n", "p"])
TRAIN = Examples([str(row) for row in range(900)], [f"train {row}" for row in range(900)], ["n"] * 900)


class FakeTask:
    primary_metric = "accuracy"
    generates = False

    def decide(self, scores: Any) -> list[str]:
        return ["np"[int(row.argmax())] for row in scores]

    def changes(self, scores: Any, others: Any) -> Any:
        return np.abs(scores - others).max(axis=1)

    def metrics(self, labels: Any, scores: Any) -> dict[str, float]:
        return {"accuracy": float(np.mean([a == b for a, b in zip(labels, self.decide(scores), strict=True)]))}


class Answers:
    """An engine that answers right, or as `wrong` says: all wrong (loss), by neighbours (effect), or not at all."""

    task = FakeTask()

    def __init__(self, wrong: str, read: list[Any]) -> None:
        self.wrong, self.read = wrong, read

    def scores(self, inputs: list[str]) -> Any:
        if self.wrong == "error":
            raise ModelError("it fails here")
        rows = np.array([[0.9, 0.1] if len(each) == 1 else [0.1, 0.9] for each in inputs], dtype=np.float32)
        if self.wrong == "loss":
            return rows[:, ::-1]
        return rows + (0.02 * len(inputs) if self.wrong == "batch_effect" else 0)

    def calibration(self, inputs: list[str]) -> list[dict[str, Any]]:
        self.read.extend(inputs)
        return [{"input_ids": np.ones((len(inputs), 3), np.int64)}] if inputs else []

    def close(self) -> None:
        pass


def prove(folder: Path, forms: list[str], *, train: bool = True, export: Any = None, **wrong: str) -> Any:
    """What Proof says of forms that answer as `wrong` has it, and the texts that were read for calibration."""
    read: list[Any] = []
    rules = parse_config({"data": {"source": "x.csv"}, "release": {"forms": forms}}).release

    def write(folder: Path, form: str, out: Path, calibration: Any = ()) -> list[Path]:
        if form == STATIC and not calibration:
            raise ModelError("no texts")
        path = out / f"{form}.bin"
        path.write_text(form, encoding="utf-8")
        return [path]

    def open_(_: Path, engine: str) -> Answers:
        faults = {DYNAMIC: "dynamic", STATIC: "static", "onnx-fp32": "fp32"}
        return Answers(wrong.get(faults.get(engine, ""), ""), read)

    tools = Tools(export or write, open_, lambda predictor, _: 1.0)
    calibration = (lambda: calibration_rows(lambda: TRAIN, 7)) if train else None
    found, engine = Proof(folder, rules, DEV, tools, calibration=calibration).run(quiet=True)
    return found, engine, read


@pytest.mark.parametrize("why", ["loss", "batch_effect"])
def test_where_dynamic_int8_is_not_enough_it_is_calibrated_on_train_alone(tmp_path: Path, why: str) -> None:
    found, _, read = prove(tmp_path, ["onnx-int8"], dynamic=why)
    assert found[STATIC]["accepted"] and found[STATIC]["instead_of"] == {DYNAMIC: why}
    assert found[STATIC]["calibration"] == {"split": "train", "texts": 256}
    assert len(set(read)) == 256 and set(read) <= set(TRAIN.texts)
    assert calibration_rows(lambda: TRAIN, 7).texts == read != calibration_rows(lambda: TRAIN, 8).texts
    assert (tmp_path / f"{STATIC}.bin").is_file()
    assert len(list(told(found))) == 2


@pytest.mark.parametrize(
    ("forms", "train", "dynamic"),
    [(["onnx-int8"], True, ""), (["onnx-int8"], True, "error"), (["onnx-int8"], False, "loss"), ([], True, "")],
)
def test_nothing_is_calibrated_where_it_is_not_needed_or_cannot_be(
    tmp_path: Path, forms: list[str], train: bool, dynamic: str
) -> None:
    found, _, read = prove(tmp_path, forms, train=train, dynamic=dynamic)
    assert STATIC not in found and read == [] and list(told(found)) == []


def test_who_names_it_gets_it_and_is_told_where_there_are_no_texts(tmp_path: Path) -> None:
    found, _, read = prove(tmp_path, [STATIC])
    assert found[STATIC]["accepted"] and "instead_of" not in found[STATIC] and len(read) == 256
    assert len(list(told(found))) == 1
    with pytest.raises(ModelError, match="no texts"):
        prove(tmp_path, [STATIC], train=False)


def test_a_second_try_may_fail_without_harm(tmp_path: Path) -> None:
    found, engine, _ = prove(tmp_path, ["onnx-int8"], dynamic="batch_effect", static="loss")
    assert found[STATIC]["reason"] == "loss" and engine == "torch-fp32"
    assert not (tmp_path / f"{STATIC}.bin").exists() and (tmp_path / f"{DYNAMIC}.bin").exists()

    def refuse(folder: Path, form: str, out: Path, calibration: Any = ()) -> list[Path]:
        if form == STATIC:
            raise ModelError("it cannot be exported")
        return []

    found, _, _ = prove(tmp_path, ["onnx-int8"], dynamic="loss", export=refuse)
    assert found[STATIC] == {
        "accepted": False, "reason": "error", "error": "it cannot be exported", "instead_of": {DYNAMIC: "loss"}
    }  # fmt: skip


@pytest.mark.parametrize("fp32", ["", "loss"])
def test_int8_is_made_of_the_fp32_form_where_that_was_accepted(tmp_path: Path, fp32: str) -> None:
    made: dict[str, Any] = {}

    def write(folder: Path, form: str, out: Path, **more: Any) -> list[Path]:
        path = out / str(ENGINES[form])
        path.parent.mkdir(exist_ok=True)
        path.write_text(form, encoding="utf-8")
        made[form] = more.get("whole")
        return [path]

    forms = ["onnx-fp32", "onnx-int8", "openvino-int8"]
    prove(tmp_path, forms, dynamic="batch_effect", export=write, fp32=fp32)
    whole = None if fp32 else tmp_path / "onnx" / "model.onnx"
    assert made == {"onnx-fp32": None, DYNAMIC: whole, "openvino-int8": whole, STATIC: whole}
