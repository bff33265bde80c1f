"""Retrieval and matching by vectors: figures against scikit-learn, negatives that are wrong, a calibrated cosine."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import DataError
from tuneloop.data.tokens import Tokens
from tuneloop.evaluation.metrics import measure
from tuneloop.tasks import create_task


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def apart(rows: int) -> Tokens:
    """Tokens of pairs, one token in each text."""
    return Tokens(
        np.zeros(2 * rows, np.int32), np.arange(2 * rows + 1), None, np.zeros(2 * rows, bool),
        owners=np.repeat(np.arange(rows), 2), bound=True,
    )  # fmt: skip


def test_the_figures_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import ndcg_score

    random = np.random.default_rng(0)
    queries, passages = random.integers(0, 25, 60), random.integers(0, 40, 60)
    asked, offered = unit(random.normal(size=(25, 5)))[queries], unit(random.normal(size=(40, 5)))[passages]
    labels = [f"{q}:{p}" for q, p in zip(queries, passages, strict=True)]
    task = create_task(TaskConfig(type="retrieval"), {"width": 5})
    found = task.row_figures(labels, np.hstack([asked, offered]))
    distinct = np.unique(passages)
    places = [int(np.flatnonzero(passages == each)[0]) for each in distinct]
    for row in range(60):
        right = np.isin(distinct, passages[queries == queries[row]])
        cosines = offered[places] @ asked[row]
        order = np.argsort(-cosines)[:10]
        assert found["ndcg_at_10"][row] == pytest.approx(ndcg_score([right], [cosines], k=10), abs=1e-6)
        assert found["recall_at_10"][row] == pytest.approx(right[order].sum() / right.sum())
        assert found["recall_at_1"][row] == pytest.approx(right[order[0]] / right.sum())
        hits = np.flatnonzero(right[order])
        assert found["mrr_at_10"][row] == pytest.approx(1 / (1 + hits[0]) if len(hits) else 0)


def test_a_query_is_answered_by_any_of_its_passages_standing_first() -> None:
    task = create_task(TaskConfig(type="retrieval"), {"width": 2})
    labels = ["q1:p1", "q1:p2", "q2:p3"]
    asked = unit(np.array([[1.0, 0.1], [1.0, 0.1], [0.9, 0.2]]))
    offered = unit(np.array([[1.0, 0.5], [1.0, 0.1], [-1.0, 0.0]]))  # p2 stands first for both queries
    scores = np.hstack([asked, offered])
    assert task.right(labels, scores).tolist() == [True, True, False]
    # the same passage in another row changes nothing
    again = np.vstack([scores, np.hstack([unit(np.array([[0.0, 1.0]])), offered[1:2]])])
    assert task.right([*labels, "q3:p2"], again).tolist()[:3] == [True, True, False]


def test_a_query_counts_once_however_many_passages_answer_it() -> None:
    task = create_task(TaskConfig(type="retrieval"), {})
    rows = [("ask", "a"), ("ask ", "b"), ("other", "c")]
    labels = [task.parse_row(*row, None)[2] for row in rows]
    vectors = {"a": [1, 0, 0], "b": [0.9, 0.1, 0], "c": [0, 0, 1], "ask": [1, 0.1, 0], "other": [0, 1, 0]}
    scores = np.array([vectors[one.strip()] + vectors[two] for one, two in rows], np.float32)
    found = task.metrics(labels, scores)
    assert found["recall_at_1"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["ndcg_at_10"] == pytest.approx((1 + 1 / np.log2(1 + 3)) / 2)
    measured = measure(task, labels, scores, resamples=200, seed=0)
    assert {name: each.value for name, each in measured.items()} == pytest.approx(found)
    assert measured["ndcg_at_10"].low < found["ndcg_at_10"] < measured["ndcg_at_10"].high


def test_hard_negatives_are_near_but_never_right() -> None:
    random = np.random.default_rng(1)
    queries, passages = np.arange(30) // 2, random.integers(0, 20, 30)
    logits = np.empty((60, 4), np.float32)
    logits[0::2] = random.normal(size=(15, 4))[queries]
    logits[1::2] = random.normal(size=(20, 4))[passages]
    labels = [f"{q}:{p}" for q, p in zip(queries, passages, strict=True)]
    task = create_task(TaskConfig(type="retrieval", hard_negatives=3, too_near=1.0), {"width": 4})
    found = task.negatives(logits, apart(30), labels)
    assert found.shape == (30, 3)
    vectors = unit(logits)
    for row in range(30):
        own = float(vectors[2 * row] @ vectors[2 * row + 1])
        right = set(passages[queries == queries[row]])
        wrong = [
            (float(vectors[2 * row] @ vectors[2 * other + 1]), int(passages[other])) for other in range(30)
            if passages[other] not in right and vectors[2 * row] @ vectors[2 * other + 1] < own
        ]  # fmt: skip
        expected = [passage for _, passage in sorted(set(wrong), reverse=True)][:3]
        assert [int(passages[text // 2]) for text in found[row] if text >= 0] == expected


def test_equal_passages_and_queries_are_no_wrong_answers() -> None:
    import torch

    task = create_task(TaskConfig(type="retrieval", temperature=0.1), {"width": 2})
    labels = ["q:p", "r:p", "q:s"]
    targets = torch.from_numpy(task.aligned(labels, apart(3), []))
    logits = torch.tensor([[1.0, 0], [1, 0], [1, 0], [1, 0], [1, 0], [1, 0]])
    # every passage of rows 0 and 2 is right for query q, and p for r: only s is wrong for r
    assert task.loss(logits, targets).tolist() == pytest.approx([0, 0, 2 * np.log(2), 0, 0, 0], abs=1e-6)


def test_sharpness_and_threshold_are_fitted_on_dev() -> None:
    random = np.random.default_rng(2)
    angles = random.uniform(0, np.pi / 2, 400)
    logits = np.zeros((800, 2), np.float32)
    logits[0::2] = [1, 0]
    logits[1::2] = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    right = random.uniform(size=400) < 1 / (1 + np.exp(-6 * (np.cos(angles) - 0.7)))
    labels = ["same" if each else "other" for each in right]
    task = create_task(TaskConfig(type="similarity"), {"labels": ["other", "same"], "width": 2})
    task.calibrate(logits, apart(400), labels)
    assert 4 < task.sharpness < 8 and 0.62 < task.threshold < 0.78
    scores = task.answers(logits, apart(400), [("a", "b")] * 400)
    assert scores[:, 1].mean() == pytest.approx(right.mean(), abs=0.01)
    turned = create_task(TaskConfig(type="similarity", match="other"), task.state)
    assert turned.answers(logits, apart(400), [("a", "b")] * 400) == pytest.approx(scores[:, ::-1])


def test_more_than_two_classes_are_another_task() -> None:
    with pytest.raises(DataError, match="knows two classes, but there are 3") as refused:
        create_task(TaskConfig(type="similarity"), {"labels": ["a", "b", "c"]})
    assert "task: pair" in refused.value.hint


def test_the_logits_of_a_sentence_encoder_are_the_mean_of_its_tokens(tiny_model: object) -> None:
    import torch
    from transformers import AutoModel

    from tuneloop.models.load import load_classifier

    task = create_task(TaskConfig(type="retrieval"), {})
    model = load_classifier(tiny_model, task, pooling="mean").eval()
    batch = {"input_ids": torch.tensor([[2, 6, 7, 3]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    with torch.inference_mode():
        states = AutoModel.from_pretrained(tiny_model).eval()(**batch).last_hidden_state[0]
        mean = states.mean(dim=0)
        expected = (mean - mean.mean()) / mean.std(unbiased=False)
        assert model(**batch).logits[0] == pytest.approx(expected, abs=2e-2)
    assert task.outputs == model.config.num_labels == 32
    task.meet(SimpleNamespace(hidden_size=7))
    assert task.outputs == 7


def test_mistakes_of_a_search_are_told_by_the_place_of_the_right_passage() -> None:
    from tuneloop.evaluation.names import answer_text

    task = create_task(TaskConfig(type="retrieval"), {"width": 2})
    scores = np.array([[1, 0, 0.8, 0.6], [0, 1, 1, 0]], np.float32)
    told = [answer_text(task.told(each, "text")) for each in ("q:p", task.decide(scores)[0])]
    assert told == ["place 1", "place 2"]
