"""How a release is updated: the section `update` of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneloop.core.options import Options

Step = Literal["recalibrate", "head", "adapter", "full"]


class GateConfig(Options):
    """What a candidate must show to take the place of the current release."""

    margin: float = Field(
        0.02, ge=0, lt=1, description="Loss on an earlier test set that is still none (0.02 = 2 points)."
    )
    perturbations: tuple[str, ...] = Field(
        (), description="Such as typos: with any, nothing may be lost on the perturbed texts of every test set either."
    )


class UpdateConfig(Options):
    """What is tried with new rows, the cheapest first; what old rows are replayed stands in `continual`."""

    steps: tuple[Step, ...] = Field(
        ("recalibrate", "head", "adapter", "full"),
        min_length=1,
        description="What is tried, in this order, until dev says that something is better.",
    )
    # larger than those of a first training: new rows are few, and what they cannot show is not promoted
    dev: float = Field(0.2, gt=0, description="Share (below 1) or number of the new rows by which steps are chosen.")
    test: float = Field(0.2, gt=0, description="Share (below 1) or number of the new rows that judge once.")
    deploy: Literal["none", "canary", "promote"] = Field(
        "none",
        description="What becomes of a release that was made: nothing; a canary with deploy.share; the current one.",
    )
    gate: GateConfig = Field(default_factory=GateConfig, description="What a candidate must show.")  # type: ignore[arg-type]
