"""Figures of a stream of periods, against matrices whose figures can be counted by hand."""

from __future__ import annotations

import pytest

from tuneloop.evaluation.continual import kept


def test_the_figures_of_three_periods() -> None:
    matrix = [[0.9, 0.2, 0.1], [0.7, 0.8, 0.3], [0.8, 0.5, 0.6]]
    found = kept(matrix, untrained=[0.5, 0.1, 0.1])
    assert found.average == pytest.approx((0.8 + 0.5 + 0.6) / 3)
    assert found.forgetting == pytest.approx((0.1 + 0.3) / 2)  # best before the last: 0.9 and 0.8
    assert found.backward == pytest.approx((-0.1 - 0.3) / 2)
    assert found.forward == pytest.approx((0.1 + 0.2) / 2)


def test_forgetting_is_from_the_best_and_backward_transfer_from_when_it_was_learnt() -> None:
    found = kept([[0.5, None, None], [0.9, 0.8, None], [0.7, 0.8, 0.6]])
    assert found.forgetting == pytest.approx(0.1)
    assert found.backward == pytest.approx(0.1)
    assert found.forward is None


def test_one_period_has_nothing_to_forget() -> None:
    assert kept([[0.5]]).to_json() == {"average": 0.5, "forgetting": None, "backward": None, "forward": None}


@pytest.mark.parametrize(("matrix", "untrained"), [([], None), ([[0.5, 0.1]], None), ([[0.5]], [0.1, 0.2])])
def test_what_is_no_such_matrix_is_refused(matrix: list, untrained: list | None) -> None:
    with pytest.raises(ValueError):
        kept(matrix, untrained=untrained)
