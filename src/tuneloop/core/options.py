"""What every group of settings is."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A group of settings: unknown names are refused, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class TypedOptions(BaseModel):
    """A `type` and whatever options that type declares."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str

    @property
    def options(self) -> dict[str, Any]:
        """The options beside `type`, as given."""
        return dict(self.model_extra or {})


def without_password(value: Any) -> Any:
    """A value as an error may show it: the password of a URL is hidden."""
    if not isinstance(value, str):
        return value
    return re.sub(r"(password=)[^&\s]*", r"\1***", re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", value))
