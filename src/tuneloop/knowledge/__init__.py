"""What is known beside the model: documents, graphs, lexicons and rules."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "open_index": "index", "NewIndex": "settings", "Index": "index", "ask": "answers", "read_graph": "graph_files",
    "read_rules": "rules", "Rule": "rules", "Case": "facts",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # imported when it is used: the command line only needs the names of its commands
    if name in _PLACES:
        return getattr(import_module(f"tuneloop.knowledge.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'tuneloop.knowledge' has no attribute {name!r}")
