"""What a frozen model says of each text, computed once and kept in the workspace by content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.arrays import read_array, write_array
from tuneloop.core.hashing import hash_json
from tuneloop.models.forward import head_inputs
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

NOT_THE_BODY = ("id2label", "label2id", "num_labels", "problem_type", "architectures", "transformers_version")
"""What config.json says of the head or of its writer: it does not change the features."""


def cached_features(model: PreTrainedModel, tokens: Tokens, precision: str, *, cache: Path) -> FloatArray:
    """`head_inputs`, from `cache` if this model has seen these tokens before.

    The key is the content of the weights below the last layer, of the model's configuration, of the
    tokens and what stands beside them, and the precision. A damaged file is computed again.
    """
    there, device = tokens.beside, model.device.type
    beside = [] if there is None else [list(there.rows), there.reader.identity]
    key = hash_json([_body_hash(model), tokens_hash(tokens), *beside, precision, device])
    return remember(cache / "features" / f"{key}.npy", lambda: head_inputs(model, tokens, precision))


def remember(path: Path, compute: Callable[[], FloatArray]) -> FloatArray:
    """The array that is kept at `path`; computed and kept there where it is missing or damaged."""
    found = read_array(path)
    if found is None:
        found = compute()
        write_array(path, found)
    return found


def _body_hash(model: PreTrainedModel) -> str:
    of_head = {id(parameter) for parameter in head_of(model).parameters()}
    tensors = model.state_dict(keep_vars=True).items()
    return weights_hash(model, [(name, tensor) for name, tensor in tensors if id(tensor) not in of_head])


def weights_hash(model: PreTrainedModel, tensors: Iterable[tuple[str, torch.Tensor]]) -> str:
    """SHA-256 of the given weights with their names, and of the kind of model that they are part of."""
    import torch

    config = json.loads(model.config.to_json_string(use_diff=True))
    described = {name: value for name, value in config.items() if name not in NOT_THE_BODY}
    digest = hashlib.sha256(f"{type(model).__name__}{hash_json(described)}".encode())
    for name, tensor in sorted(tensors):
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def tokens_hash(tokens: Tokens) -> str:
    """SHA-256 of the tokens of all texts, without what stands beside them."""
    digest = hashlib.sha256(str(tokens.pad_id).encode())
    for array in (tokens.ids, tokens.offsets, tokens.type_ids):
        digest.update(b"none" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()
