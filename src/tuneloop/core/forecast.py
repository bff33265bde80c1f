"""What more labels would cost, and when they are worth it: the section `forecast` of a configuration."""

from __future__ import annotations

from pydantic import Field

from tuneloop.core.options import Options


class ForecastConfig(Options):
    """What more labels would bring is asked for so many, at this price."""

    more: int = Field(500, ge=1, description="Labels that are thought of.")
    worth: float = Field(
        0.005, gt=0, lt=1, description="The least gain that makes them worth their cost (0.005 = half a point)."
    )
    price: float = Field(0.0, ge=0, description="Price of a label, in your currency.")
    seconds: float = Field(15.0, ge=0, description="Seconds that a person takes for a label.")
    goal: float | None = Field(None, gt=0, lt=1, description="A score to reach; how many labels it needs is told.")
    rows: int = Field(10_000, ge=50, description="Labelled rows that the curve is measured on, at most.")
    runs: int = Field(10, ge=3, description="Held-out fifths that it is measured on.")
