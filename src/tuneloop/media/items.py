"""A row of several modalities as one string, so that it goes wherever a text goes.

`{"item":{"image":"SHA-256","tabular":{"price":"3.5"},"text":"a red dress"}}`: what a row lacks is left out. Sorted
keys and plain ASCII make equal items equal strings. Files stand there by the SHA-256 of their bytes (see `store`), or
whole as a data URI.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from tuneloop.core.fusion import MODALITIES

MARK = '{"item":'


def compose(parts: Mapping[str, Any]) -> str:
    """The string of an item; an empty text, no file and no value are left out.

    Args:
        parts: `text`, `image` and `audio` (SHA-256 or data URI), and `tabular`, values by column.
    """
    tabular = {name: str(value) for name, value in (parts.get("tabular") or {}).items() if _says(value)}
    kept = {name: parts[name] for name in ("text", "image", "audio") if _says(parts.get(name))}
    kept |= {"tabular": tabular} if tabular else {}
    return json.dumps({"item": kept}, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def parse(text: str) -> dict[str, Any]:
    """The parts of an item that are there; a plain text is an item of nothing else."""
    found = _read(text)
    if found is None:
        return {"text": text} if text else {}
    return found


def is_item(text: str) -> bool:
    """Whether a string is one of `compose`, and not a text that only looks like it."""
    return _read(text) is not None


def _read(text: str) -> dict[str, Any] | None:
    if not text.startswith(MARK):
        return None
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        return None
    found = plain["item"]
    if not isinstance(found, dict) or not all(_sound(name, value) for name, value in found.items()):
        return None
    return {name: found[name] for name in MODALITIES if name in found} if compose(found) == text else None


def with_text(text: str, change: Callable[[str], str]) -> str:
    """The item with its text changed."""
    parts = parse(text)
    return compose(parts | {"text": change(parts["text"])}) if "text" in parts else text


def without(text: str, names: set[str]) -> str:
    """The item without some of its modalities."""
    return compose({name: value for name, value in parse(text).items() if name not in names})


def described(text: str) -> str:
    """An item in words: its text, its values, and which files it has; a plain text as it is."""
    if not is_item(text):
        return text
    parts = parse(text)
    said = [str(parts["text"])] if "text" in parts else []
    said += [f"{name}={value}" for name, value in parts.get("tabular", {}).items()]
    said += [f"[{name} {str(parts[name])[:8]}]" for name in ("image", "audio") if name in parts]
    return " ".join(said)


def _says(value: Any) -> bool:
    number = not isinstance(value, float) or not math.isnan(value)  # as tables write what is missing
    return value is not None and number and str(value).strip() != ""


def _sound(name: str, value: Any) -> bool:
    if name != "tabular":
        return name in MODALITIES and isinstance(value, str)
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
