"""What release.json says of early exits, as sentences for people."""

from __future__ import annotations

from typing import Any

from tuneloop.core.i18n import t
from tuneloop.inference.engine import EXITS


def told(info: dict[str, Any]) -> list[str]:
    """Who leaves where, the promise and how it was found, the figure of the test split, and whether it answers.

    Args:
        info: release.json, with `exits`.
    """
    found = info["exits"]
    if not found["used"]:
        return [
            t(
                "No exit is used: {rows} rows ({where}) cannot show that one loses less than {loss:g} points "
                "of accuracy with {confidence:.0%} confidence.", rows=f"{found['rows']:,}", where=found["fitted_on"],
                loss=100 * found["max_loss"], confidence=found["confidence"],
            )
        ]  # fmt: skip
    handover, test = found["handover"], found["test"]
    sentences = [
        t(
            "A text leaves early where it is at least {threshold:.1%} sure: {shares}. That saves {saved:.0%} of the "
            "{of} layers.", threshold=handover["threshold"], shares=_shares(found["leave"]),
            saved=found["layers_saved"], of=found["of"],
        ),
        t(
            "On {rows} rows ({where}) {loss:.2f} points of accuracy are lost; with {confidence:.0%} confidence fewer "
            "than {most:g} (p = {p:.3f}).", rows=f"{handover['rows']:,}", where=found["fitted_on"],
            loss=100 * handover["loss"], confidence=handover["confidence"], most=100 * handover["max_loss"],
            p=handover["p"],
        ),
    ]  # fmt: skip
    if test:
        sentences.append(
            t(
                "On the test split: {shares}, {saved:.0%} of the layers saved, accuracy {ours:.4f} against "
                "{whole:.4f}, a difference of {difference:+.4f} (95 % interval {low:+.4f} to {high:+.4f}).",
                shares=_shares(test["leave"]), saved=test["layers_saved"], ours=test["accuracy"], whole=test["whole"],
                difference=test["difference"], low=test["low"], high=test["high"],
            )
        )  # fmt: skip
    return [*sentences, _place(info)]


def _place(info: dict[str, Any]) -> str:
    """Whether the exits answer by default, and if not, why."""
    form = info["forms"].get(EXITS, {})
    if info["engine"] == EXITS:
        return t("It is the fastest form here and answers by default.")
    if not form.get("accepted"):
        return t("The form {name} was refused on dev; the whole model answers.", name=EXITS)
    return t("{engine} is faster here or steadier, and answers by default; --engine {name} takes the exits.",
             engine=info["engine"], name=EXITS)  # fmt: skip


def _shares(leave: dict[str, float]) -> str:
    """For example: 41% behind layer 2, 19% behind layer 4."""
    return ", ".join(t("{share:.0%} behind layer {layer}", share=share, layer=layer) for layer, share in leave.items())
