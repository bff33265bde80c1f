"""A pretrained model whose linear layers are kept in 4 or 8 bits, for adapters that learn in full precision.

Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs" (2023): 4 bits are NormalFloat with doubly quantised
constants; and "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale" (2022), both as in bitsandbytes.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import MissingExtraError
from tuneloop.models.device import cast, choose_device

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

PACKAGES = ("bitsandbytes", "accelerate")


def quantization(bits: int) -> dict[str, Any]:
    """What `from_pretrained` is told beside the folder; nothing for 0 bits.

    Raises:
        MissingExtraError: without bitsandbytes or accelerate.
    """
    if not bits:
        return {}
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "quantized")
    import torch
    from transformers import BitsAndBytesConfig

    # it says with every product of 8 bits that numbers of 32 bits are rounded
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    settings: dict[str, Any] = {"load_in_8bit": True}
    if bits == 4:
        settings = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
        settings |= {"bnb_4bit_compute_dtype": torch.float32}
    return {"quantization_config": BitsAndBytesConfig(**settings), "device_map": {"": choose_device()}}


def keep_layout(model: PreTrainedModel) -> None:
    """Leave layers of 4 bits as they were loaded, in place.

    On a CPU bitsandbytes packs them anew in the first evaluation, and what is packed passes no gradient on.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def is_quantized(model: PreTrainedModel) -> bool:
    """Whether linear layers of the model are kept in 4 or 8 bits."""
    return bool(getattr(model, "is_quantized", False))


def moved(model: PreTrainedModel, *, device: str = "", dtype: torch.dtype | None = None) -> PreTrainedModel:
    """The model on a device and in a precision; layers in few bits stay as they are, and compute in that precision.

    Args:
        device: cpu or cuda; a model in few bits is there already.
        dtype: of the weights that are kept in full.
    """
    if device and not is_quantized(model):
        model = model.to(device)  # type: ignore[arg-type]
    if dtype is not None:
        cast(model, dtype)
        for module in model.modules() if is_quantized(model) else ():
            if hasattr(module, "compute_dtype"):
                module.compute_dtype = dtype  # type: ignore[assignment]
    return model


def size_of(parameter: torch.nn.Parameter) -> int:
    """How many numbers a parameter stands for; several of 4 bits are kept as one."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(state.shape.numel())
