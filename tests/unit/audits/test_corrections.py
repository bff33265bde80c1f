from __future__ import annotations

import pytest

from tuneloop.audits.corrections import holm


def test_each_p_is_made_good_for_those_that_are_no_smaller() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
