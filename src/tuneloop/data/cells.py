"""Values that stand as JSON in the cell of a table."""

from __future__ import annotations

import json
from typing import Any


def from_json(cell: Any) -> Any:
    """The list or object that a cell writes as JSON; None if it does not."""
    if not isinstance(cell, str) or not cell.strip().startswith(("[", "{")):
        return None
    try:
        found = json.loads(cell)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, list | dict) else None
