"""LoRA: beside each frozen weight matrix a product of two thin ones learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuneloop.methods.adaptation import PeftMethod, PeftOptions, linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class LoraOptions(PeftOptions):
    """Options of LoRA."""

    rank: int = Field(8, ge=1, description="Width of the thin matrices.")
    alpha: float = Field(16.0, gt=0, description="The product counts alpha / rank times.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the thin matrices.")
    layers: Literal["all", "attention"] = Field(
        "all", description="Linear layers that are adapted: all in the transformer layers, or those of attention."
    )
    dora: bool = Field(False, description="Learn the length of each weight column apart from its direction (DoRA).")


class Lora(PeftMethod):
    """W + alpha / rank x B A with W frozen, B starting from zero.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021); with `dora`, Liu et al., "DoRA:
    Weight-Decomposed Low-Rank Adaptation" (2024). A layer of n inputs and m outputs trains rank x (n + m) weights.
    """

    name = "lora"
    writes = True
    Options = LoraOptions
    options: LoraOptions

    def attach(self, model: PreTrainedModel) -> Any:
        from peft import LoraConfig, LoraModel

        config = LoraConfig(
            r=self.options.rank,
            lora_alpha=self.options.alpha,
            lora_dropout=self.options.dropout,
            use_dora=self.options.dora,
            target_modules=linear_layers(model, attention_only=self.options.layers == "attention"),
        )
        return LoraModel(model, config, "default")
