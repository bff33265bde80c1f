"""Settings of going on from a model with new data: the section `continual`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tuneloop.core.i18n import t
from tuneloop.core.options import Options


class ContinualConfig(Options):
    """Going on from a release or run with new data, so that what it knew is not forgotten."""

    model: str = Field("", description="The release (mood-1) or run to go on from; empty: model.source, from anew.")
    replay: float = Field(
        0.75,  # with all old rows, as benchmarks.stream chose it on dev
        ge=0,
        description="Old rows beside the new: below 1 their share of every batch, else their number; 0: none.",
    )
    memory: int = Field(0, ge=0, description="Old rows that replay and ewc know, at most; 0: all there are.")
    buffer: Literal["class_balanced", "reservoir", "herding"] = Field(
        "class_balanced",
        description="Which old rows: as many of each class, by chance, or those whose vectors have the class's mean.",
    )
    ewc: float = Field(0.0, ge=0, description="Weight of EWC: what the old rows hang on moves less; 0 turns it off.")
    l2_sp: float = Field(
        0.0, ge=0, description="Weight of the pull back to the weights at the start (L2-SP); 0 turns it off."
    )
    lwf: float = Field(
        0.0, ge=0, description="Weight of the old model's answers for its own classes in the loss (LwF); 0: off."
    )
    lwf_temperature: float = Field(2.0, gt=0, description="LwF: both models' logits are divided by this.")
    average: bool = Field(
        False, description="Mix the old and the new weights, in the shares that are best on dev of old and new."
    )

    adapters: bool = Field(
        False, description="Leave the old model as it is; each period has an adapter, and each text finds its own."
    )

    @property
    def used(self) -> bool:
        """Whether a run is another one for this section."""
        return bool(self.model or self.l2_sp)

    @property
    def reads_old_rows(self) -> bool:
        """Whether rows of the old model's data are needed."""
        return bool(self.model and (self.replay or self.ewc or self.average))

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_replayed_beside_adapters(cls, given: Any) -> Any:
        return {"replay": 0, **given} if isinstance(given, dict) and given.get("adapters") else given

    @model_validator(mode="after")
    def _there_is_something_to_remember(self) -> ContinualConfig:
        for name in ("replay", "ewc", "lwf", "l2_sp", "average"):
            if self.adapters and getattr(self, name):
                raise ValueError(
                    t(
                        "continual.adapters leaves the old model as it is: continual.{name} has nothing to hold",
                        name=name,
                    )
                )
        for name in ("ewc", "lwf", "average", "adapters"):
            if getattr(self, name) and not self.model:
                raise ValueError(t("continual.{name} needs continual.model, the model that it keeps to", name=name))
        if self.replay >= 1 and self.replay != int(self.replay):
            raise ValueError(t("continual.replay is a share below 1 or a whole number of rows"))
        return self
