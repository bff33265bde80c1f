"""Events without a server: texts of a few hundred words, vectors that know the domain, answers of known quality."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tuneloop.watch.base import Event

WORDS = [f"w{one}{two}" for one in "abcdefghijkl" for two in "abcdefghijkl"]
OTHER = [word.replace("w", "x") for word in WORDS]


def events(n: int, *, seed: int, foreign: float = 0.0, first: int = 0, **changed: Any) -> list[Event]:
    """Events a minute apart; a share of them is of another domain: other words, longer, elsewhere among the vectors."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(n):
        other = random.random() < foreign
        text = " ".join(random.choice(OTHER if other else WORDS, 14 if other else 9))
        sure = float(random.uniform(0.5, 1))
        event = Event(
            id=f"r.{first + number}", at=60.0 * (first + number), release="hotel-1", hash="",
            label=str(random.choice(["no", "yes"])), confidence=sure, chars=len(text), language="en",
            took_ms=float(random.gamma(4, 5)), text=text, tags={"country": str(random.choice(["de", "fr"]))},
            vector=tuple(random.normal(2.0 if other else 0.0, 1, 8).tolist()),
        )  # fmt: skip
        found.append(replace(event, **changed))
    return found
