"""Which of two models a person prefers, prompt by prompt, without knowing which model wrote what.

Which answer stands on the left is a hash of the pair and the row, so that neither the page nor the file of judgements
says it; only someone who has both models' answers can tell.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tuneloop.core.errors import DataError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.conversation import to_messages
from tuneloop.evaluation.intervals import LEVEL
from tuneloop.evaluation.predictions import Predictions, align

LEFT, RIGHT, TIE = "left", "right", "tie"
SURE = 0.05
"""Below this p it is said that people prefer one of the two."""


class Row(NamedTuple):
    """A prompt with both answers; `swapped`: that of the second model stands on the left."""

    id: str
    prompt: str
    a: str
    b: str
    swapped: bool


@dataclass(frozen=True)
class Pair:
    """The prompts that are judged, in the order in which they are shown.

    Args:
        names: of the two models.
        key: names both models' answers, so that judgements are never taken for those of another pair.
        rows: see `Row`.
        equal: prompts that are not shown, as both models wrote the same.
    """

    names: tuple[str, str]
    key: str
    rows: list[Row]
    equal: int

    @cached_property
    def by_id(self) -> dict[str, Row]:
        """The rows by their id."""
        return {row.id: row for row in self.rows}


VERSION = 2
"""Of how rows are dealt, which pages that were judged before must not be mistaken about."""


def pair_of(names: tuple[str, str], a: Predictions, b: Predictions) -> Pair:
    """The prompts that both models answered, and not alike, in an order that says nothing.

    Raises:
        DataError: if they did not answer the same prompts, or both wrote the same to all of them.
    """
    b = align(a, b)
    rows = list(zip(a.examples.ids, a.examples.texts, map(str, a.answers), map(str, b.answers), strict=True))
    key = hash_json([VERSION, rows])[:16]
    other = [row for row in rows if row[2].strip() != row[3].strip()]
    if not other:
        raise DataError(
            t("{a} and {b} wrote the same to every prompt: there is nothing to judge.", a=names[0], b=names[1]),
            t("Compare models that differ."),
        )
    dealt = sorted((_chance(key, row[0]), row) for row in other)
    return Pair(names, key, [Row(*row, swapped=chance[-1] % 2 == 1) for chance, row in dealt],
                equal=len(rows) - len(other))  # fmt: skip


def read_judgements(path: Path, pair: Pair) -> dict[str, str]:
    """Which model was preferred for each judged row, by its id: "a", "b" or "tie".

    Raises:
        DataError: with the line, at the first thing that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Give the file that the page has saved.")
        ) from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            name, choice = _judgement(line, f"{path.name}, row {number}", pair)
            if name in found:
                raise _wrong(f"{path.name}, row {number}", t("the prompt {id} is judged twice", id=name))
            found[name] = choice
    if not found:
        raise DataError(t("{file} is empty.", file=path.name), t("Give the file that the page has saved."))
    return found


def judged(pair: Pair, judgements: dict[str, str]) -> dict[str, Any]:
    """Who was preferred how often, as JSON.

    `share` is that of a among the rows with a preference, with an exact interval (Clopper and Pearson, "The Use of
    Confidence or Fiducial Limits Illustrated in the Case of the Binomial", 1934); `p` is that of the sign test, which
    leaves ties out (Dixon and Mood, "The Statistical Sign Test", 1946); `win_rate` counts a tie as half a win.
    """
    from scipy.stats import binomtest

    a, b, ties = (sum(choice == name for choice in judgements.values()) for name in ("a", "b", TIE))
    found: dict[str, Any] = {
        "a": {"name": pair.names[0], "wins": a},
        "b": {"name": pair.names[1], "wins": b},
        "ties": ties,
        "judged": len(judgements),
        "equal": pair.equal,
        "win_rate": (a + ties / 2) / len(judgements),
        "level": LEVEL,
    }
    if a + b == 0:
        return found | {"share": None, "low": None, "high": None, "p": 1.0, "preferred": None}
    test = binomtest(a, a + b)
    low, high = map(float, test.proportion_ci(confidence_level=LEVEL, method="exact"))
    winner = pair.names[0 if a > b else 1] if test.pvalue < SURE else None
    return found | {"share": a / (a + b), "low": low, "high": high, "p": float(test.pvalue), "preferred": winner}


def verdict(found: dict[str, Any]) -> list[str]:
    """What `judged` says, in sentences."""
    a, b = found["a"], found["b"]
    told = [
        t("{a} was preferred {wins_a} times, {b} {wins_b} times; {ties} of {judged} judgements were ties.",
          a=a["name"], b=b["name"], wins_a=a["wins"], wins_b=b["wins"], ties=found["ties"],
          judged=found["judged"]),
    ]  # fmt: skip
    if found["share"] is not None:
        told.append(
            t("Of the preferences {share} are for {a} (95 % interval {low} to {high}, exact; sign test p = {p}).",
              a=a["name"], p=f"{found['p']:.3f}",
              **{name: f"{100 * found[name]:.1f} %" for name in ("share", "low", "high")}),
        )  # fmt: skip
    told.append(
        t("{name} is preferred.", name=found["preferred"])
        if found["preferred"]
        else t("These judgements cannot tell which one is preferred; more of them may.")
    )
    if found["equal"]:
        told.append(t("{count} prompts were left out: both wrote the same.", count=found["equal"]))
    return told


def chosen_rows(pair: Pair, judgements: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Prompt, preferred and other answer as messages, of every row with a preference: what DPO learns from.

    Rafailov et al., "Direct Preference Optimization" (2023).
    """
    for name, choice in judgements.items():
        if choice != TIE:
            row = pair.by_id[name]
            answers = (row.a, row.b) if choice == "a" else (row.b, row.a)
            chosen, rejected = ([{"role": "assistant", "content": text}] for text in answers)
            prompt = [message._asdict() for message in to_messages(row.prompt)]
            yield {"id": name, "prompt": prompt, "chosen": chosen, "rejected": rejected}


def _judgement(line: str, where: str, pair: Pair) -> tuple[str, str]:
    """The id of the row, and "a", "b" or "tie"."""
    try:
        plain = json.loads(line)
        name, choice, key = plain["id"], plain["choice"], plain["pair"]
    except (ValueError, KeyError, TypeError):
        raise _wrong(where, t("this is no judgement")) from None
    if key != pair.key:
        raise DataError(
            t("{place}: it judges answers of other models, or others of these.", place=where),
            t("Name the models in the order in which the page was made, and evaluate neither again in between."),
        )
    if not isinstance(name, str) or name not in pair.by_id:
        raise _wrong(where, t("no such prompt was shown: {id}", id=str(name)[:60]))
    if choice not in (LEFT, RIGHT, TIE):
        raise _wrong(where, t("the choice is none of left, right and tie"))
    if choice == TIE:
        return name, TIE
    return name, "b" if (choice == LEFT) == pair.by_id[name].swapped else "a"


def _wrong(place: str, reason: str) -> DataError:
    return DataError(
        t("{place}: {reason}.", place=place, reason=reason), t("Give the file that the page has saved, unchanged.")
    )


def _chance(key: str, name: str) -> bytes:
    return hashlib.sha256(f"{key}:{name}".encode()).digest()
