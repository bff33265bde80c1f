"""Markdown: its headings become sections, all else stays as it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tuneloop.data.encoding import decode
from tuneloop.knowledge.documents import Part

HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|[*`]+")
LONGEST_HEADING = 300


def read_markdown(path: Path) -> list[Part]:
    """A part for each heading, as CommonMark knows them (`#` and underlined); those in code are none.

    Raises:
        DataError: if the encoding cannot be told, or is mixed.
    """
    text = _without_comments(decode(path.read_bytes(), path=path)[0])
    above: list[tuple[int, str]] = []
    parts = []
    for level, heading, body in _sections(text.splitlines()):
        if level:
            above = [each for each in above if each[0] < level] + [(level, _unmarked(heading))]
        parts.append(Part("\n".join(body), section_path(above)))
    return parts


def section_path(above: list[tuple[int, str]]) -> str:
    """Headings and their levels, the outermost first, as the name of a section."""
    return " > ".join(heading for _, heading in above if heading)


def _sections(lines: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """Level and words of each heading, and the lines below it; level 0 for what stands before the first."""
    level, heading, body, fence = 0, "", list[str](), ""
    for line in lines:
        mark = FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip(" `~"):
            fence = ""
        long = len(line) > LONGEST_HEADING
        found = None if fence or mark or long else HEADING.match(line)
        under = None if fence or long else UNDERLINE.match(line)
        if found:
            yield level, heading, body
            level, heading, body = len(found[1]), found[2] or "", []
        elif (
            under and body and body[-1].strip() and len(body[-1]) <= LONGEST_HEADING and not _begins_otherwise(body[-1])
        ):
            words = body.pop()
            yield level, heading, body
            level, heading, body = 1 if under[1][0] == "=" else 2, words.strip(), []
        else:
            body.append(line)
    yield level, heading, body


def _begins_otherwise(line: str) -> bool:
    """Whether a line is of a list, a quotation or a table, which a rule may follow."""
    return line.lstrip().startswith(("- ", "* ", "+ ", ">", "|"))


def _unmarked(heading: str) -> str:
    return MARKUP.sub(lambda found: found[1] or "", heading).strip()


def _without_comments(text: str) -> str:
    kept, place = [], 0
    while (start := text.find("<!--", place)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[place:start])
        place = end + len("-->")
    return "".join([*kept, text[place:]])
