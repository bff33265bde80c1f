"""What only some predictors can give: the mask of the tokenizer."""

from __future__ import annotations

from typing import Any


def mask_token(handle: Any) -> str | None:
    """What a text may hold in place of a word that is hidden; None where the model reads no such token in texts."""
    tokenizer = getattr(getattr(handle, "model", handle), "tokenizer", None)
    found = getattr(tokenizer, "mask_text", None)
    return None if found is None else str(found)
