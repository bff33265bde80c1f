"""(IA)3: keys, values and the inside of the feed-forward layers are rescaled by learnt vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.adaptation import PeftMethod, PeftOptions, linear_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


KEYS_AND_VALUES = frozenset({"key", "value", "k_proj", "v_proj", "k", "v"})
"""What models built like BERT, Llama and T5 call them."""


class Ia3Options(PeftOptions):
    """Options of (IA)3."""

    rate_scale: float = Field(
        50.0, gt=0, description="Learning rate of the adapted weights relative to training.learning_rate."
    )


class Ia3(PeftMethod):
    """One factor for each key, value and inner feed-forward unit, starting from one.

    Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning" (2022).
    """

    name = "ia3"
    writes = True
    Options = Ia3Options
    options: Ia3Options

    def attach(self, model: PreTrainedModel) -> Any:
        from peft import IA3Config, IA3Model

        layers = linear_layers(model)
        scaled = [name for name in layers if name.rsplit(".", 1)[-1] in KEYS_AND_VALUES]
        widths = {name: getattr(model.get_submodule(name), "in_features", 0) for name in layers}
        inner = [name for name, width in widths.items() if width == max(widths.values())]
        if not scaled or not inner:
            raise ModelError(
                t(
                    "The attention of {model} has no keys and values that could be rescaled.",
                    model=model.config.model_type,
                ),
                t("Choose a model built like BERT or Llama, or another method, such as lora."),
            )
        return IA3Model(model, IA3Config(target_modules=scaled + inner, feedforward_modules=inner), "default")
