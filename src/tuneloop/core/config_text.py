"""A configuration as a YAML file in which every setting stands with its value and its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from tuneloop.core.config import RunConfig
from tuneloop.core.i18n import language, t, translate
from tuneloop.core.options import TypedOptions

COMMENT_COLUMN = 34


def commented_yaml(config: RunConfig, *, options: Mapping[str, type[BaseModel]]) -> str:
    """The whole configuration; comments are in the language in force.

    Args:
        config: the values.
        options: the option models of the chosen task and method, as `{"task": ..., "method": ...}`.
    """
    lines = [t("# Everything that determines a run. Every setting is shown; delete what you do not change.")]
    for name, field in RunConfig.model_fields.items():
        value = getattr(config, name)
        if isinstance(value, TypedOptions):
            lines += ["", _heading(name, _summary(value), 0)]
            lines.append(_setting("type", value.type, type(value).model_fields["type"].description, 1))
            lines += _settings(options[name].model_validate(value.options), 1)
        elif isinstance(value, BaseModel):
            lines += ["", _heading(name, _summary(value), 0), *_settings(value, 1)]
        else:
            lines.append(_setting(name, value, field.description, 0))
    return "\n".join(lines) + "\n"


def _settings(values: BaseModel, depth: int) -> list[str]:
    lines: list[str] = []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            lines += [_heading(name, _summary(value), depth), *_settings(value, depth + 1)]
        else:
            lines.append(_setting(name, value, field.description, depth))
    return lines


def _summary(value: BaseModel) -> str:
    return (type(value).__doc__ or "").strip().split("\n")[0]


def _heading(name: str, summary: str, depth: int) -> str:
    return _with_comment("  " * depth + f"{name}:", summary)


def _setting(name: str, value: Any, description: str | None, depth: int) -> str:
    plain = _plain(value)
    scalar = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000).split("\n")[0]
    return _with_comment("  " * depth + f"{name}: {scalar}", description or "")


def _plain(value: Any) -> Any:
    """A value as YAML has it, without what is there by default; a method without options is its name."""
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if not isinstance(value, BaseModel):
        return value
    given = value.model_dump(mode="json", exclude_defaults=True)
    return value.type if isinstance(value, TypedOptions) and len(given) == 1 else given


def _with_comment(line: str, comment: str) -> str:
    return f"{line:<{COMMENT_COLUMN}}  # {translate(comment, language())}"
