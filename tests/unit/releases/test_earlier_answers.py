"""What earlier releases answered is handed to audits."""

from __future__ import annotations

import numpy as np

from tests.audited import hotel_rows, word_model
from tuneloop.core.paths import Workspace
from tuneloop.evaluation.predictions import PREDICTIONS, write_predictions
from tuneloop.releases.auditing import _earlier_answers


def test_answers_of_earlier_releases_are_read_where_they_are_kept(tmp_path) -> None:
    workspace, rows, model = Workspace(tmp_path), hotel_rows(10, seed=1), word_model()
    folder = workspace.releases / "hotel-1"
    folder.mkdir(parents=True)
    write_predictions(folder / PREDICTIONS, model.task, rows, model.scores(rows.inputs))
    found = _earlier_answers({"hotel-1": rows, "hotel-2": rows}, workspace)
    assert list(found) == ["hotel-1"]
    assert np.array_equal(found["hotel-1"].scores, model.scores(rows.inputs))
