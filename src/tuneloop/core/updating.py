"""How a release is updated: the section `update` of a configuration."""

from __future__ import annotations

from pydantic import Field

from tuneloop.core.options import Options


class GateConfig(Options):
    """What a candidate must show to take the place of the current release."""

    margin: float = Field(
        0.02, ge=0, lt=1, description="Loss on an earlier test set that is still none (0.02 = 2 points)."
    )
