"""Vectors that come with answers cost nothing and change nothing."""

from __future__ import annotations

import numpy as np


def test_answers_with_vectors_are_those_without(learnt, made_up, monkeypatch) -> None:
    predictor = learnt("classification")
    inputs = made_up("classification").split("test").inputs[:12]
    inputs = [*inputs, inputs[0]]
    assert predictor.has_vectors
    alone, ran = predictor.predict(inputs), []
    run = predictor.engine._logits
    monkeypatch.setattr(predictor.engine, "_logits", lambda batch: ran.append(len(batch["input_ids"])) or run(batch))
    found, vectors = predictor.predict_with_vectors(inputs)
    assert found == alone and sum(ran) == len(set(inputs))
    assert vectors.shape == (13, 32) and np.array_equal(vectors[0], vectors[-1])
    assert np.array_equal(vectors, predictor.read(inputs).vectors)
