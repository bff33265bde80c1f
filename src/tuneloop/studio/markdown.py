"""Markdown as model cards have it, shown with labels alone: no HTML, no images and no links come out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nicegui import ui

from tuneloop.studio.tables import table
from tuneloop.studio.view import heading

FENCE = "```"
HEADING = re.compile(r"(#{1,6})\s+(.*)")
BULLET = re.compile(r"[-*+]\s+(.*)")
CELL = re.compile(r"(?<!\\)\|")
RULE = re.compile(r":?-{2,}:?")


@dataclass(frozen=True)
class Block:
    """A piece of a text.

    Args:
        kind: what it is.
        lines: its lines; of a table each is a row, see `cells`.
        level: of a heading, from 1.
    """

    kind: Literal["front", "heading", "code", "table", "list", "text"]
    lines: tuple[str, ...]
    level: int = 0

    @property
    def cells(self) -> list[list[str]]:
        """The rows of a table, the headers first; the line below them is left out."""
        rows = [[plain(cell) for cell in CELL.split(line.strip().strip("|"))] for line in self.lines]
        return [row for row in rows if not all(RULE.fullmatch(cell) for cell in row)]


def plain(text: str) -> str:
    """A line without the signs around code and before escaped signs."""
    return text.strip().replace("\\|", "|").replace("`", "").replace("**", "")


def blocks(text: str) -> list[Block]:
    """The blocks of a text; what is none of the known kinds is text as it stands."""
    lines = text.splitlines()
    found: list[Block] = []
    if lines[:1] == ["---"] and "---" in lines[1:]:
        end = lines.index("---", 1)
        found.append(Block("front", tuple(lines[1:end])))
        lines = lines[end + 1 :]
    return [*found, *_blocks(lines)]


def _blocks(lines: list[str]) -> Iterator[Block]:
    place = 0
    while place < len(lines):
        line, start = lines[place], place
        kind = _kind(line)
        place += 1
        if kind == "code":
            while place < len(lines) and not lines[place].startswith(FENCE):
                place += 1
            yield Block("code", tuple(lines[start + 1 : place]))
            place += 1
        elif kind == "heading" and (match := HEADING.match(line)):
            yield Block("heading", (plain(match[2]),), len(match[1]))
        elif line.strip():
            while place < len(lines) and lines[place].strip() and _kind(lines[place]) == kind:
                place += 1
            yield Block(kind, tuple(lines[start:place]))


def _kind(line: str) -> Literal["code", "heading", "table", "list", "text"]:
    if line.startswith(FENCE):
        return "code"
    if HEADING.match(line):
        return "heading"
    if line.startswith("|"):
        return "table"
    return "list" if BULLET.match(line) else "text"


def show(text: str) -> None:
    """The text on the page; headings begin one level below the page's own."""
    for block in blocks(text):
        if block.kind == "front":
            continue
        if block.kind == "heading":
            heading("".join(block.lines), min(block.level + 1, 6))
        elif block.kind == "code":
            ui.label("\n".join(block.lines)).classes("output").props("tabindex=0")
        elif block.kind == "table" and block.cells:
            headers, *rows = block.cells
            table(headers, rows)
        elif block.kind == "list":
            with ui.element("ul"):
                for line in block.lines:
                    with ui.element("li"):
                        ui.label(plain(BULLET.sub(r"\1", line)))
        else:
            ui.label(plain(" ".join(block.lines)))
