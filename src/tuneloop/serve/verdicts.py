"""Why a canary was taken out, in words, and as an alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.releases.deployment import Change
from tuneloop.watch.alerts.base import Alert


def sentence(criterion: str, counted: Mapping[str, Any], candidate: str, current: str) -> str:
    """By what a candidate is worse, with the figures of both sides.

    Args:
        counted: the criterion's part of a trial's figures.
    """
    figures = {
        "candidate": candidate, "current": current,
        "share": counted["candidate"]["share"], "asked": counted["candidate"]["asked"],
        "other": counted["current"]["share"], "others": counted["current"]["asked"],
    }  # fmt: skip
    if criterion == "failed":
        return t(
            "{candidate} failed on {share:.1%} of {asked} requests, {current} on {other:.1%} of {others}.", **figures
        )
    if criterion == "slow":
        return t(
            "{candidate} was slow on {share:.1%} of {asked} requests, {current} on {other:.1%} of {others}.", **figures
        )
    if criterion == "abstained":
        return t(
            "{candidate} abstained on {share:.1%} of {asked} requests, {current} on {other:.1%} of {others}.", **figures
        )
    return t("{candidate} was wrong by {share:.1%} of {asked} feedbacks, {current} by {other:.1%} of {others}.",
             **figures)  # fmt: skip


def alert_of(made: Change) -> Alert:
    """What is told of a canary that a server took out."""
    said = t("The canary {release} of {name} was taken out: {why}", release=made.release, name=made.name, why=made.why)
    key = hash_json(["canary", made.name, made.release, made.number])[:24]
    details = {"criterion": made.details["criterion"], "share": made.details["share"], "change": made.number}
    return Alert(key, f"canary {made.name}", made.release, made.at, said, details)
