from __future__ import annotations

import numpy as np
import pytest

from tuneloop.data.label_errors import suspected_labels


@pytest.mark.parametrize("labels", [[("a",), ("a", "b")], [("a",), ()], [("a",), ("a",)]])
def test_classes_that_all_rows_share_are_left_out(labels: list[tuple[str, ...]]) -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(["red", "blue", "sun", "sky", "sea"], 4)) for _ in range(100)]
    found = suspected_labels(texts, [labels[row % 2] for row in range(100)], seed=1)
    assert (found.found, found.examined) == ([], 0)
