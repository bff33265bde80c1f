"""Is a candidate worse than the current release? Asked after every request, and rarely answered wrongly all the same.

Two shares are compared, such as those of failed requests. Somebody bets against the claim that the candidate's share
is at most the current one's plus `d`, with a capital of 1. Requests come in blocks: one ends as soon as both sides
were asked in it. With `n` requests of the candidate and `m` of the current one, outcomes `x` and `y` (1 or 0), the
capital is multiplied by

    prod (1 + a (x - p)) * prod (1 - b (y - q)),    n a = m b >= 0,  p = q + d,

all of which is fixed before the block. As log(1 + z) <= z, its expectation is at most
exp(n a (P - p) - m b (Q - q)) = exp(n a (P - Q - d)) for true shares P and Q: at most 1 while P <= Q + d, whatever P
and Q are and however they change from block to block. So the capital ever reaches 1 / alpha with probability alpha at
most (Ville 1939), over any number of looks, and no number of requests has to be fixed. The blocks and the bets, those
of the likelihood ratio between guessed shares and the nearest ones of the claim, are those of Turner, Ly and Grünwald,
"Generic E-variables for exact sequential k-sample tests that allow for optional stopping" (2024), with one variance
for both sides where d is not 0. The guess is the current one's share so far plus an effect; the capital is spread over
several effects.

Servers bet on requests of their own, so the product of their capitals is as little expected to grow as each of them,
and reaches 1 / alpha with probability alpha at most too. All of them judge by what stands in one record, which is one
history: no server looks at a moment that the others do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, log1p
from typing import Any, Literal

Side = Literal["current", "candidate"]
Verdict = Literal["worse", "not_worse", "unclear"]

CRITERIA = ("failed", "slow", "abstained", "wrong")
"""What is compared: shares of requests, and of feedback that says wrong."""

EFFECTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""By how much the candidate's share is guessed to be larger."""

MOST_LOG = 300.0
"""Logarithm of a capital at which it stops to grow, so that numbers stay numbers."""

LEAST = 1e-4
"""Shares are guessed no nearer to 0 and 1."""


class Bets:
    """The capital against "the candidate's share of ones is at most the current one's plus d".

    Args:
        d: what the candidate may have more; negative where it has to have less.
        effects: by how much its share is guessed to differ from the current one's.
    """

    def __init__(self, d: float, effects: tuple[float, ...]) -> None:
        self._d, self._effects = d, effects
        self.logs = [0.0] * len(effects)
        self._current, self._candidate = [0, 0], [0, 0]  # of the open block: requests, ones
        self._known = [0, 0]  # of the current release, in the blocks before

    @property
    def log_capital(self) -> float:
        """Logarithm of the capital now, and never expected to grow while the claim holds."""
        top = max(self.logs)
        return top + log(sum(exp(each - top) for each in self.logs) / len(self.logs))

    def reaches(self, log_capital: float) -> bool:
        """Whether the capital is so large; mostly told by its largest part, as this is asked after every request."""
        return max(self.logs) >= log_capital and self.log_capital >= log_capital

    def note(self, side: Side, one: bool) -> None:
        """One outcome."""
        part = self._current if side == "current" else self._candidate
        part[0] += 1
        part[1] += one
        if self._current[0] and self._candidate[0]:
            self._end_block()

    def _end_block(self) -> None:
        (m, ones), (n, candidate_ones) = self._current, self._candidate
        share = _inside((self._known[1] + 0.5) / (self._known[0] + 1))
        for place, effect in enumerate(self._effects):
            q, a = self._bet(share, _inside(share + effect), n, m)
            if a > 0:
                p, b = q + self._d, n * a / m
                won = candidate_ones * log1p(a * (1 - p)) + (n - candidate_ones) * log1p(-a * p)
                lost = ones * log1p(-b * (1 - q)) + (m - ones) * log1p(b * q)
                self.logs[place] = min(self.logs[place] + won + lost, MOST_LOG)
        self._known = [self._known[0] + m, self._known[1] + ones]
        self._current, self._candidate = [0, 0], [0, 0]

    def _bet(self, share: float, guess: float, n: int, m: int) -> tuple[float, float]:
        """The `q` and `a` of a block, from what is guessed of the current release and of the candidate."""
        q = _inside((n * (guess - self._d) + m * share) / (n + m))
        p = q + self._d
        if not LEAST <= p <= 1 - LEAST:
            return q, 0.0
        a = (guess - p) / max(p * (1 - p), q * (1 - q))
        b = n * a / m
        most = 0.99 / max(a * p, b * (1 - q), 1e-9)  # no factor may fall to 0
        return q, a * min(1.0, most)

    def join(self, plain: Mapping[str, Any]) -> None:
        """Multiply by another server's capital, which `to_json` gave; its open block is left to it."""
        self.logs = [min(own + float(other), MOST_LOG) for own, other in zip(self.logs, plain["logs"], strict=True)]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "logs": self.logs, "known": self._known, "current": self._current, "candidate": self._candidate,
        }  # fmt: skip

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go on from what `to_json` gave."""
        self.logs = [float(each) for each in plain["logs"]]
        self._known = list(plain["known"])
        self._current, self._candidate = list(plain["current"]), list(plain["candidate"])


class Criterion:
    """Both sides by one criterion.

    Args:
        margin: by how much the candidate may be worse and still count as not worse.
    """

    def __init__(self, margin: float) -> None:
        self.counts: dict[Side, list[int]] = {"current": [0, 0], "candidate": [0, 0]}
        self._worse = Bets(0.0, EFFECTS)
        self._not_worse = Bets(-margin, (0.0,))

    def note(self, side: Side, bad: bool) -> None:
        """One request."""
        self.counts[side][0] += 1
        self.counts[side][1] += bad
        self._worse.note(side, bad)
        self._not_worse.note(side, not bad)

    def verdict(self, alpha: float) -> Verdict:
        """What is certain now, each with probability `alpha` of ever being said wrongly."""
        if self._worse.reaches(-log(alpha)):
            return "worse"
        return "not_worse" if self._not_worse.reaches(-log(alpha)) else "unclear"

    def evidence(self, alpha: float) -> dict[str, float]:
        """How far each claim is refuted, as logarithms: of both capitals, and of the one at which it is for certain."""
        return {
            "worse": self._worse.log_capital, "not_worse": self._not_worse.log_capital, "bar": -log(alpha),
        }  # fmt: skip

    def join(self, plain: Mapping[str, Any]) -> None:
        """Add what another server has counted, as `to_json` gave it."""
        for side, counts in self.counts.items():
            self.counts[side] = [own + other for own, other in zip(counts, plain["counts"][side], strict=True)]
        self._worse.join(plain["worse"])
        self._not_worse.join(plain["not_worse"])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "counts": self.counts, "worse": self._worse.to_json(), "not_worse": self._not_worse.to_json(),
        }  # fmt: skip

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go on from what `to_json` gave."""
        self.counts = {"current": list(plain["counts"]["current"]), "candidate": list(plain["counts"]["candidate"])}
        self._worse.restore(plain["worse"])
        self._not_worse.restore(plain["not_worse"])


class Comparison:
    """Both sides by every criterion.

    Args:
        alpha: chance that a candidate which is not worse is ever called so, by all criteria together.
        margin: by how much a share may be larger and still count as not worse.
    """

    def __init__(self, alpha: float, margin: float) -> None:
        self._alpha = alpha
        self.criteria = {name: Criterion(margin) for name in CRITERIA}

    def note(self, side: Side, criterion: str, bad: bool) -> None:
        """One request by one criterion."""
        self.criteria[criterion].note(side, bad)

    def worse(self) -> str | None:
        """The criterion by which the candidate is worse for certain; None as long as there is none."""
        verdicts = self.verdicts()
        return next((name for name in CRITERIA if verdicts[name] == "worse"), None)

    def verdicts(self) -> dict[str, Verdict]:
        """What is certain, by criterion."""
        each = self._alpha / len(CRITERIA)
        return {name: criterion.verdict(each) for name, criterion in self.criteria.items()}

    def to_json(self) -> dict[str, Any]:
        """Figures and verdicts for people, and all that `restore` needs."""
        verdicts = self.verdicts()
        return {
            name: {
                side: {"asked": asked, "bad": bad, "share": bad / asked if asked else None}
                for side, (asked, bad) in criterion.counts.items()
            }
            | {
                "verdict": verdicts[name],
                "evidence": criterion.evidence(self._alpha / len(CRITERIA)),
                "state": criterion.to_json(),
            }
            for name, criterion in self.criteria.items()
        }

    def restore(self, plain: Mapping[str, Any]) -> None:
        """Go on from what `to_json` gave; criteria that it does not have begin anew."""
        for name in self.criteria.keys() & plain.keys():
            self.criteria[name].restore(plain[name]["state"])


def together(kept: Mapping[str, Mapping[str, Any]], server: str, *, alpha: float, margin: float) -> Comparison:
    """Both sides by what all servers have counted.

    Args:
        kept: what `Comparison.to_json` gave, by server.
        server: whose feedback counts: every server reads all of it.
    """
    whole = Comparison(alpha, margin)
    for name, criteria in kept.items():
        for criterion in whole.criteria.keys() & criteria.keys():
            if criterion != "wrong" or name == server:
                whole.criteria[criterion].join(criteria[criterion]["state"])
    return whole


def of_all(kept: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`Comparison.to_json` of what all servers have counted, by which each of them judges.

    Args:
        kept: what `Comparison.to_json` gave, by server; at least one.
    """
    most = max(kept, key=lambda server: sum(kept[server]["wrong"][side]["asked"] for side in ("current", "candidate")))
    share = exp(-kept[most]["wrong"]["evidence"]["bar"])  # of alpha, which is dealt out evenly
    whole = together(kept, most, alpha=len(CRITERIA) * share, margin=0.0)  # what the margin decided is in the capitals
    return whole.to_json()


def _inside(share: float) -> float:
    return min(max(share, LEAST), 1 - LEAST)
