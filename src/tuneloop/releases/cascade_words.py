"""What release.json says of a cascade, as sentences for people."""

from __future__ import annotations

from typing import Any

from tuneloop.core.i18n import t


def told(found: dict[str, Any]) -> list[str]:
    """Who answers what, the promise and how it was found, the cost, and the figure of the test split."""
    handover, seconds, test = found["handover"], found["seconds_per_text"], found["test"]
    return [
        t(
            "{cheap} answers where it is at least {threshold:.1%} sure; {strong} answers the other {share:.0%} of the "
            "texts.", cheap=found["cheap"], strong=found["strong"], threshold=handover["threshold"],
            share=handover["share"],
        ),
        t(
            "On {rows} rows ({where}) {loss:.2f} points of accuracy are lost; with {confidence:.0%} confidence fewer "
            "than {most:g} (p = {p:.3f}).", rows=f"{handover['rows']:,}", where=found["fitted_on"],
            loss=100 * handover["loss"], confidence=handover["confidence"], most=100 * handover["max_loss"],
            p=handover["p"],
        ),
        t(
            "A text takes {both:.2f} ms in place of {strong:.2f}: {times:.1f} times less, measured in turns on this "
            "machine.", both=1000 * seconds["both"], strong=1000 * seconds["strong"], times=found["times_cheaper"],
        ),
        t(
            "On the test split: accuracy {ours:.4f} against {strong:.4f}, a difference of {difference:+.4f} "
            "(95 % interval {low:+.4f} to {high:+.4f}).", ours=test["accuracy"], **{
                key: test[key] for key in ("strong", "difference", "low", "high")
            },
        ),
    ]  # fmt: skip
