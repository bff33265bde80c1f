"""The temperature on dev: found again where it is known, and never a changed decision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.config import TaskConfig
from tuneloop.tasks import create_task
from tuneloop.tasks.temperature import fit_temperature, negative_log_likelihood

CLASSES = create_task(TaskConfig(type="classification"), {"labels": ["a", "b", "c"]})
TOPICS = create_task(TaskConfig(type="multilabel"), {"labels": ["a", "b", "c"]})


def sure_too_early(temperature: float) -> tuple[np.ndarray, list[str]]:
    """Logits that are `temperature` times what the labels were drawn from."""
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (5000, 3)).astype(np.float32)
    labels = [str(random.choice(CLASSES.labels, p=row / row.sum())) for row in CLASSES.scores(honest).astype(float)]
    return honest * temperature, labels


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found_again(true: float) -> None:
    logits, labels = sure_too_early(true)
    assert fit_temperature(logits, labels, CLASSES) == pytest.approx(true, rel=0.08)


def test_a_known_temperature_of_several_labels_is_found_again() -> None:
    random = np.random.default_rng(0)
    honest = random.normal(0, 2, (4000, 3))
    drawn = random.random(honest.shape) < 1 / (1 + np.exp(-honest))
    labels = [tuple(name for name, given in zip("abc", row, strict=True) if given) for row in drawn]
    assert fit_temperature(honest.astype(np.float32) * 2, labels, TOPICS) == pytest.approx(2, rel=0.08)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 40), scale=st.floats(0.1, 20))
def test_folding_it_makes_dev_no_less_likely_and_changes_no_answer(seed: int, rows: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    labels = [str(label) for label in random.choice(CLASSES.labels, rows)]
    torch.manual_seed(seed)
    head, features = torch.nn.Linear(4, 3), torch.randn(rows, 4) * scale
    before = head(features).detach().numpy()
    temperature = fit_temperature(before, labels, CLASSES)
    CLASSES.fold_temperature(head, temperature)
    after = head(features).detach().numpy()
    assert CLASSES.decide(CLASSES.scores(after)) == CLASSES.decide(CLASSES.scores(before))
    targets = CLASSES.targets(labels)
    assert negative_log_likelihood(after, targets) <= negative_log_likelihood(before, targets) + 1e-4


def test_where_every_answer_is_right_there_is_nothing_to_find() -> None:
    assert fit_temperature(np.eye(3, dtype=np.float32), ["a", "b", "c"], CLASSES) == 1.0


def test_numbers_and_other_thresholds_have_no_temperature() -> None:
    assert CLASSES.has_temperature
    assert TOPICS.has_temperature
    assert not create_task(TaskConfig(type="multilabel", threshold=0.3), {"labels": ["a"]}).has_temperature
    assert not create_task(TaskConfig(type="regression"), {}).has_temperature
