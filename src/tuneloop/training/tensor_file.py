"""Tensors as a safetensors file, one after the other: never all of them in memory, and pieces become whole one by one.

The format: 8 bytes with the length of a JSON header, the header, the bytes of every tensor.
https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.training.distributed.pieces import whole

if TYPE_CHECKING:
    import torch

DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
"""What the format calls torch's kinds of numbers."""

ALIGNED = 8
"""The tensors begin at a multiple of so many bytes."""


def in_order(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As they stand in the file: wide numbers first, so that each begins at a multiple of its width."""
    return dict(sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])))


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the file; of tensors that lie in pieces every other process calls `take_part` with its own."""
    import torch

    header, end = {}, 0
    for name, tensor in in_order(tensors).items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        kind = DTYPES[str(tensor.dtype).removeprefix("torch.")]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in in_order(tensors).values():
            flat = whole(tensor.detach()).cpu().contiguous().reshape(-1)
            file.write(memoryview(flat.view(torch.uint8).numpy()))


def take_part(tensors: Mapping[str, torch.Tensor]) -> None:
    """Give the pieces of this process to the one that writes."""
    for tensor in in_order(tensors).values():
        whole(tensor.detach())
