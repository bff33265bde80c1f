"""Virtual tokens stand before every text, also where answers are written side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.config import parse_config
from tuneloop.core.paths import Workspace
from tuneloop.inference.continuous import Draft, Limits
from tuneloop.inference.predictor import open_predictor
from tuneloop.training.run import tune


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_answers_side_by_side_are_those_of_the_writer(
    talking_model: Path, made_up: type, tmp_path: Path, method: str
) -> None:
    plain = {
        "data": {"source": "x.csv"},
        "task": {"type": "generation", "max_new_tokens": 5},
        "model": {"source": str(talking_model), "max_tokens": 40},
        "method": {"type": method, "length": 4},
        "training": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-2, "precision": "fp32", "report_to": []},
    }
    run = tune(parse_config(plain), snapshot=made_up("generation"), workspace=Workspace(tmp_path), quiet=True)
    writer = open_predictor(run.model_path)
    texts = made_up("generation").split("test").inputs[:6]
    expected = [each.label for each in writer.predict(texts)]
    batch = writer.side_by_side(Limits())
    drafts = [Draft(ids, writer.own_decoding) for ids in writer.prompts(texts)[0]]
    found = dict.fromkeys(drafts, "")
    for draft in drafts:
        batch.add(draft)
        for written, piece in batch.step():
            found[written] += piece.text
    while batch.running or batch.waiting:
        for written, piece in batch.step():
            found[written] += piece.text
    assert list(found.values()) == expected
    untuned = open_predictor(talking_model)
    assert [each.label for each in untuned.predict(texts)] != expected
