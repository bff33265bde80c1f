"""Settings of what runs many times: `tuneloop compare` and `tuneloop search`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tuneloop.core.i18n import t
from tuneloop.core.options import Options, TypedOptions


class Candidate(TypedOptions):
    """A method in a comparison: its options, and the training settings that it is better off with."""

    label: str | None = Field(None, description="Its name in tables; that of the method by default.")
    training: dict[str, Any] = Field(default_factory=dict, description="Settings of the training loop for it alone.")


class ComparisonConfig(Options):
    """What `tuneloop compare` runs: every method with every seed and every number of labels."""

    methods: tuple[Candidate, ...] = Field(
        ("probe", "contrastive", "lora", "adapter", "full"),
        min_length=1,
        validate_default=True,
        description="Methods, each a name or a mapping such as {type: lora, rank: 4, label: small lora}.",
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0, 1, 2), min_length=1, description="Each run is repeated with these seeds, which also draw its labels."
    )
    budgets: tuple[Annotated[int, Field(ge=1)] | Literal["all"], ...] = Field(
        ("all",), min_length=1, description="Labels of each class to learn from, such as [8, 32, all]."
    )
    split: Literal["dev", "test"] = Field(
        "dev", description="Where methods are judged. A choice made on test makes its later figures too good."
    )

    @field_validator("methods", mode="before")
    @classmethod
    def _bare_names_are_types(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [{"type": each} if isinstance(each, str) else each for each in value]


class Axis(Options):
    """The values that one setting may take: `choices`, or everything from `low` to `high`."""

    choices: tuple[Any, ...] = Field((), description="The values themselves.")
    low: float | None = Field(None, description="The least value.")
    high: float | None = Field(None, description="The greatest value.")
    step: float | None = Field(None, gt=0, description="Distance between values; any value between by default.")
    log: bool = Field(False, description="Search by factors instead of differences, as learning rates want it.")

    @model_validator(mode="after")
    def _one_kind(self) -> Axis:
        ends = [self.low, self.high]
        if bool(self.choices) == any(end is not None for end in ends):
            raise ValueError(t("give either choices, or low and high"))
        if not self.choices and (None in ends or self.low >= self.high):  # type: ignore[operator]
            raise ValueError(t("low must be below high"))
        if self.log and (self.choices or self.low <= 0 or self.step):  # type: ignore[operator]
            raise ValueError(t("log needs low above 0 and no step"))
        return self


class SearchConfig(Options):
    """What `tuneloop search` tries; every trial is judged on dev, test is never read."""

    space: dict[str, Axis] = Field(
        {
            "training.learning_rate": {"low": 3e-5, "high": 5e-4, "log": True},
            "training.epochs": {"low": 2, "high": 6, "step": 1},
            "training.batch_size": {"choices": (16, 32, 64)},
        },
        min_length=1,
        validate_default=True,
        description="Settings and their values: {training.learning_rate: {low: 3e-5, high: 5e-4, log: true}}.",
    )
    trials: int = Field(20, ge=1, description="Trainings at most, also counting those that are given up early.")
    reduction: int = Field(
        3, ge=2, description="Of so many trials that have come equally far, the best goes on (successive halving)."
    )
