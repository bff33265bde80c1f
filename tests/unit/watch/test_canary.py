"""Whether a canary is worse: rarely said of one that is not, soon of one that is, and the same after a restart."""

from __future__ import annotations

import json
from math import exp, log, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.watch.canary import EFFECTS, Bets, Comparison, Criterion, of_all, together


def requests_until(criterion: Criterion, shares: tuple[float, float], *, split: float, most: int, seed: int) -> int:
    """Requests until the candidate is called worse at 5 % over four criteria; `most` if it never is."""
    random = np.random.default_rng(seed)
    sides, chance = (random.random(most) < split).astype(int).tolist(), random.random(most)
    for number, side in enumerate(sides):
        criterion.note(("current", "candidate")[side], bool(chance[number] < shares[side]))
        if criterion.verdict(0.05 / 4) == "worse":
            return number
    return most


def test_a_canary_that_is_not_worse_is_rarely_called_so() -> None:
    called = sum(
        requests_until(Criterion(0.05), (0.2, 0.2), split=0.3, most=500, seed=seed) < 500 for seed in range(60)
    )
    assert called <= 3  # 0.75 expected at most; 4 or more have a chance below 1 %


@pytest.mark.parametrize(("shares", "most"), [((0.05, 0.15), 3000), ((0.0, 1.0), 30), ((0.2, 0.3), 8000)])
def test_a_canary_that_is_worse_is_found(shares: tuple[float, float], most: int) -> None:
    assert requests_until(Criterion(0.05), shares, split=0.3, most=most, seed=1) < most


def test_a_canary_that_is_better_is_not_worse_for_certain() -> None:
    criterion = Criterion(0.05)
    assert requests_until(criterion, (0.2, 0.1), split=0.5, most=2000, seed=1) == 2000
    assert criterion.verdict(0.05 / 4) == "not_worse"


@given(
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)), d=st.sampled_from([0.0, -0.05, 0.05]),
    before=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=12), asked=st.integers(1, 4),
)  # fmt: skip
def test_no_block_is_expected_to_pay_while_the_claim_holds(shares, d, before, asked) -> None:
    """Exactly, by summing over all outcomes of the next block: `asked` of the current release, then one more."""
    share, other = shares
    other = min(other, max(0.0, min(1.0, share + d)))
    if other > share + d:
        return  # the claim cannot hold
    bets = Bets(d, EFFECTS if d == 0 else (0.0,))
    for candidate, one in before:
        bets.note("candidate" if candidate else "current", one)
    if bets._candidate[0]:
        bets.note("current", False)
    plain = json.loads(json.dumps(bets.to_json()))
    expected = 0.0
    for outcomes in np.ndindex(*[2] * (asked + 1)):
        again = Bets(d, EFFECTS if d == 0 else (0.0,))
        again.restore(plain)
        start = np.array(again.logs)
        again._current = [0, 0]
        for one in outcomes[:-1]:
            again.note("current", bool(one))
        again.note("candidate", bool(outcomes[-1]))
        chance = prod(share if one else 1 - share for one in outcomes[:-1])
        chance *= other if outcomes[-1] else 1 - other
        expected += chance * np.exp(np.array(again.logs) - start)
    assert np.all(expected <= 1 + 1e-9)


def test_it_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    random = np.random.default_rng(0)
    whole, first = Comparison(0.05, 0.05), Comparison(0.05, 0.05)
    rows = [(["current", "candidate"][n % 3 == 0], bool(random.random() < 0.3)) for n in range(200)]
    for side, bad in rows:
        whole.note(side, "failed", bad)
    for side, bad in rows[:101]:
        first.note(side, "failed", bad)
    again = Comparison(0.05, 0.05)
    again.restore(json.loads(json.dumps(first.to_json())))
    for side, bad in rows[101:]:
        again.note(side, "failed", bad)
    assert again.to_json() == whole.to_json()


def test_servers_multiply_their_capitals_and_count_feedback_that_all_of_them_read_once() -> None:
    servers = {name: Comparison(0.05, 0.05) for name in ("one", "two")}
    for comparison in servers.values():
        for number in range(20):
            for side in ("current", "candidate"):
                comparison.note(side, "slow", side == "candidate" and number % 3 == 0)
                comparison.note(side, "wrong", side == "candidate" and number % 3 == 0)
    kept = json.loads(json.dumps({name: each.to_json() for name, each in servers.items()}))
    whole, one = together(kept, "one", alpha=0.05, margin=0.05), servers["one"]
    assert whole.criteria["slow"].counts == {"current": [40, 0], "candidate": [40, 14]}
    assert whole.criteria["wrong"].counts == one.criteria["wrong"].counts
    capital = sum(exp(2 * each) for each in one.criteria["slow"]._worse.logs) / len(EFFECTS)
    assert np.isclose(exp(whole.criteria["slow"]._worse.log_capital), capital)
    assert one.worse() is None and whole.worse() == "slow"
    for name, each in of_all(kept).items():
        assert each["candidate"] == whole.to_json()[name]["candidate"] and each["verdict"] == whole.verdicts()[name]
        assert np.isclose(each["evidence"]["bar"], -log(0.05 / 4))
    assert together({}, "one", alpha=0.05, margin=0.05).worse() is None


def test_alpha_is_shared_by_all_criteria() -> None:
    comparison = Comparison(0.05, 0.05)
    while comparison.criteria["slow"].verdict(0.05) != "worse":
        comparison.note("current", "slow", False)
        comparison.note("candidate", "slow", True)
    assert comparison.worse() is None
    while comparison.worse() is None:
        comparison.note("current", "slow", False)
        comparison.note("candidate", "slow", True)
    assert comparison.worse() == "slow"
    assert exp(comparison.criteria["slow"]._worse.log_capital) >= 4 / 0.05 and log(80) > 4


def test_the_evidence_that_is_told_passes_its_bar_with_the_verdict() -> None:
    comparison, told = Comparison(0.05, 0.05), []
    for number in range(400):
        comparison.note("current", "failed", False)
        comparison.note("candidate", "failed", number % 2 == 0)
        each = comparison.to_json()["failed"]
        told.append((each["evidence"]["worse"] >= each["evidence"]["bar"], each["verdict"] == "worse"))
    assert (False, False) in told and told[-1] == (True, True)
    assert all(passed == worse for passed, worse in told)
