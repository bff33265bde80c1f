"""How a model is adapted: one file per method. A method knows nothing of data files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.core.config import MethodConfig, parse_options
from tuneloop.core.registry import Registry

if TYPE_CHECKING:
    from tuneloop.methods.base import Method

METHODS: Registry[type[Method]] = Registry(
    "method",
    "tuneloop.methods",
    {
        "full": "tuneloop.methods.full:FullFineTuning",
    },
)


def create_method(config: MethodConfig) -> Method:
    """The method that a configuration names, with its options.

    Raises:
        ConfigError: if there is no such method or it has no such option.
    """
    kind = METHODS.get(config.type)
    return kind(parse_options(kind.Options, config.options, where=f"method {config.type}"))
