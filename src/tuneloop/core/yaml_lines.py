"""Where each setting stands in a YAML file."""

from __future__ import annotations

import yaml


def line_numbers(text: str) -> dict[str, int]:
    """Dotted key to its line, counted from 1."""
    lines: dict[str, int] = {}

    def visit(node: yaml.Node | None, prefix: str) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            dotted = f"{prefix}.{key.value}" if prefix else str(key.value)
            lines[dotted] = key.start_mark.line + 1
            visit(value, dotted)

    visit(yaml.compose(text, Loader=yaml.SafeLoader), "")
    return lines
