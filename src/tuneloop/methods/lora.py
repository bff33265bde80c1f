"""LoRA: beside each frozen weight matrix a product of two thin ones learns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import PeftMethod, PeftOptions, linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.tasks.base import Task


class LoraOptions(PeftOptions):
    """Options of LoRA."""

    rank: int = Field(8, ge=1, description="Width of the thin matrices.")
    alpha: float = Field(16.0, gt=0, description="The product counts alpha / rank times.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout before the thin matrices.")
    layers: Literal["all", "attention"] = Field(
        "all", description="Linear layers that are adapted: all in the transformer layers, or those of attention."
    )
    base_bits: Literal[0, 4, 8] = Field(
        0, description="Bits of the weights under it, of a model that writes (QLoRA: 4); 0: in full. It is kept apart."
    )
    dora: bool = Field(False, description="Learn the length of each weight column apart from its direction (DoRA).")


class Lora(PeftMethod):
    """W + alpha / rank x B A with W frozen, B starting from zero.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021); with `dora`, Liu et al., "DoRA:
    Weight-Decomposed Low-Rank Adaptation" (2024). A layer of n inputs and m outputs trains rank x (n + m) weights. With
    `base_bits`, Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs" (2023): a sum of both would not fit
    the few bits, so it is kept beside the pretrained model.
    """

    name = "lora"
    writes = True
    Options = LoraOptions
    options: LoraOptions

    def __init__(self, options: LoraOptions) -> None:
        super().__init__(options)
        self.mergeable = self.mergeable and not options.base_bits

    def check(self, task: Task) -> None:
        super().check(task)
        if self.options.base_bits and not task.generates:
            raise ConfigError(
                t("method.base_bits needs a model that writes texts; task {task} judges them.", task=task.name),
                t("Choose task: generation, or set method.base_bits to 0."),
            )

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        if not self.options.base_bits:
            return super().load(folder, task, pooling=pooling, trust_remote_code=trust_remote_code)
        from tuneloop.models.load import load_writer

        return load_writer(
            folder,
            dropout=task.options.dropout,
            trust_remote_code=trust_remote_code,
            bits=self.options.base_bits,
        )

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
