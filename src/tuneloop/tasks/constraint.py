"""What an answer must look like: one of a few, a pattern, or JSON of a schema."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator

from tuneloop.core.i18n import t
from tuneloop.core.options import Options


class ConstraintOptions(Options):
    """What an answer must look like; nothing by default, and one of these at most."""

    choices: tuple[str, ...] = Field((), description="The answers that there are, word for word.")
    regex: str | None = Field(None, description="A pattern that the whole answer matches; it cannot look around.")
    json_schema: dict[str, Any] | None = Field(
        None, description="The answer is JSON of this schema: the schema itself, or the path of its file."
    )

    @field_validator("choices", mode="before")
    @classmethod
    def _are_texts(cls, value: Any) -> Any:
        if isinstance(value, list | tuple) and any(isinstance(each, bool) for each in value):
            raise ValueError(t('YAML takes yes, no, on and off for true and false: write choices in quotes, as "yes"'))
        return value

    @model_validator(mode="after")
    def _is_one(self) -> ConstraintOptions:
        if len(self.given) > 1:
            raise ValueError(t("an answer is bound by one of these, not by several: {names}",
                               names=", ".join(sorted(self.given))))  # fmt: skip
        if any(not choice for choice in self.choices):
            raise ValueError(t("an answer among the choices is empty"))
        return self

    @property
    def given(self) -> dict[str, Any]:
        """What is asked for, by its name; empty where nothing is."""
        found = {"choices": self.choices or None, "regex": self.regex, "json_schema": self.json_schema}
        return {name: value for name, value in found.items() if value is not None}
