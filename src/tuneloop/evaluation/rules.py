"""What rules did to the answers on a split: how often each held, changed, helped and harmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneloop.core.i18n import t
from tuneloop.evaluation.paired import compare, sentence

if TYPE_CHECKING:
    from tuneloop.data.examples import Label
    from tuneloop.knowledge.reasons import Outcome, Reason
    from tuneloop.knowledge.rules import RuleBook
    from tuneloop.tasks.base import FloatArray, Task


def rules_section(
    book: RuleBook,
    outcomes: Sequence[Outcome],
    *,
    task: Task,
    labels: Sequence[Label],
    before: FloatArray,
    after: FloatArray,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    """Plain JSON: each rule with its counts, and a paired test of the answers with rules against those without.

    Args:
        book: the rules.
        outcomes: what they made of each row.
        before: scores of the model alone.
        after: scores that say the final answers.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("held", "changed", "flagged", "beaten", "broken")}
    counts |= {"wrong_to_right": Counter(), "right_to_wrong": Counter()}
    for label, outcome in zip(labels, outcomes, strict=True):
        for name, rules in (("held", outcome.held), ("beaten", outcome.beaten), ("broken", outcome.broken)):
            counts[name].update(rules)
        for reason in outcome.reasons:
            counts["flagged"][reason.rule] += reason.flag
            counts["changed"][reason.rule] += reason.before != reason.after
            effect = _effect(label, reason)
            if effect:
                counts[effect][reason.rule] += 1
    found = compare(task, labels, after, before, seed=seed, resamples=resamples)
    plain = found.to_json()
    return {
        "changed": sum(any(each.before != each.after for each in outcome.reasons) for outcome in outcomes),
        "flagged": sum(any(each.flag for each in outcome.reasons) for outcome in outcomes),
        "broken": sum(map(len, (outcome.broken for outcome in outcomes))),
        "rules": [
            {"name": rule.name, "hard": rule.hard, "because": rule.because}
            | {name: counter[rule.name] for name, counter in counts.items()}
            for rule in book.rules
        ],
        "comparison": plain | {"sentence": sentence(plain, t("With rules the model"), t("the model alone"))},
    }


def _effect(label: Label, reason: Reason) -> str:
    """Whether a change made a row right or wrong; for numbers, whether it came nearer to the label or went away."""
    if isinstance(label, float) and isinstance(reason.before, float) and isinstance(reason.after, float):
        was, became = abs(reason.before - label), abs(reason.after - label)
        return "wrong_to_right" if became < was else "right_to_wrong" if became > was else ""
    right_before, right_after = reason.before == label, reason.after == label
    if right_before == right_after:
        return ""
    return "wrong_to_right" if right_after else "right_to_wrong"
