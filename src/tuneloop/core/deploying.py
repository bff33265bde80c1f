"""How a release takes the place of another on a running server: the section `deploy` of a configuration."""

from __future__ import annotations

from pydantic import Field

from tuneloop.core.options import Options

MOST_SHARE = 0.5
"""Of the requests to a canary: beyond, the current release would be the one with the lighter load."""


class DeployConfig(Options):
    """How servers try a release beside the current one, and when they take it out."""

    share: float = Field(
        0.1, gt=0, le=MOST_SHARE, description="Share of the requests that a canary of tuneloop update answers."
    )
    alpha: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Chance that a canary which is not worse is ever taken out, all criteria together.",
    )
    margin: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="By how much a share may be larger for a canary to count as not worse (0.05: 5 points).",
    )
    slow: float = Field(
        2.0,
        gt=1,
        description="A request is slow that takes so many times the current release's median, and 5 ms more than it.",
    )
    keep_before: bool = Field(
        True,
        description="Whether the release before stays open, so that a rollback takes no time; it costs its memory.",
    )
