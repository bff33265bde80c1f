"""HTML: what a reader of the page reads, under its headings."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.knowledge.documents import Part
from tuneloop.knowledge.formats.markdown import section_path

UNREAD = (
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "aside",
    "footer",
    "form",
    "button",
    "svg",
    "iframe",
    "head",
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = {
    *HEADINGS, "address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "figcaption",
    "figure", "header", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
}  # fmt: skip
CELLS = ("td", "th")
DEEPEST = 60
"""Elements around a text that are looked at."""

DEEPEST_PAGE = 500
"""Elements in each other, of a page; a parser takes time that grows with the square of it."""

TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
CLOSED_BY_THE_NEXT = frozenset({
    "p", "li", "td", "th", "tr", "dt", "dd", "option", "optgroup", "thead", "tbody", "tfoot", "colgroup",
    "html", "head", "body", "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "param", "source", "track", "wbr",
})  # fmt: skip
CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([A-Za-z0-9_-]+)", re.IGNORECASE)


def read_html(path: Path) -> list[Part]:
    """A part for each heading; scripts, styles, menus and forms are left out.

    Raises:
        DataError: if the encoding cannot be told, or is mixed, or its elements stand too deep in each other.
        MissingExtraError: if selectolax is not installed.
    """
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ImportError:
        raise MissingExtraError("selectolax", "knowledge") from None
    text = _decoded(path)
    if _depth(text) > DEEPEST_PAGE:
        raise DataError(
            t("{file}: its elements stand too deep in each other.", file=path.name), t("Save its text as a document.")
        )
    tree = LexborHTMLParser(text)
    for name in UNREAD:
        for node in tree.css(name):
            node.decompose()
    return _parts(tree.body) if tree.body is not None else []


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    named = CHARSET.search(data[:2048])
    if named:
        try:
            return data.decode(named[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # pages often name another encoding than they have
    return decode(data, path=path)[0]


def _depth(text: str) -> int:
    """How many elements stand in each other at most, without those that the next one ends.

    The end of an element that was not begun ends nothing.
    """
    begun: Counter[str] = Counter()
    depth = most = 0
    for slash, tag in TAG.findall(text):
        name = tag.lower()
        if name in CLOSED_BY_THE_NEXT or (slash and not begun[name]):
            continue
        begun[name] += -1 if slash else 1
        depth += -1 if slash else 1
        most = max(most, depth)
    return most


def _parts(body: Any) -> list[Part]:
    above: list[tuple[int, str]] = []
    parts: list[tuple[str, list[str]]] = [("", [])]
    last: tuple[str, int] | None = None
    for node in body.traverse(include_text=True):
        if node.tag == "br":
            parts[-1][1].append("\n")
        if node.tag != "-text" or not node.text_content:
            continue
        block = _block(node)
        level = HEADINGS.get(block[0]) if block else None
        if level and block != last:
            above = [each for each in above if each[0] < level] + [(level, "")]
            parts.append(("", []))
        if level:
            above[-1] = (level, above[-1][1] + _one_line(node.text_content))
            parts[-1] = (section_path([(each, words.strip()) for each, words in above]), [])
        else:
            parts[-1][1].append(_between(block, last, node) + _words(node.text_content, block))
        last = block
    return [Part(_tidy("".join(texts)), section) for section, texts in parts]


def _block(node: Any) -> tuple[str, int] | None:
    """The nearest element around a text that stands on lines of its own: its tag and identity."""
    for _ in range(DEEPEST):
        node = node.parent
        if node is None:
            return None
        if node.tag in BLOCKS:
            return node.tag, node.mem_id
    return None


def _between(block: tuple[str, int] | None, last: tuple[str, int] | None, node: Any) -> str:
    """What stands between a text and the one before it."""
    if block == last:
        return " | " if node.parent is not None and node.parent.tag in CELLS and node.prev is None else ""
    return "\n" if block is not None and last is not None and block[0] == last[0] in ("li", "tr") else "\n\n"


def _words(text: str, block: tuple[str, int] | None) -> str:
    return text if block is not None and block[0] == "pre" else _one_line(text)


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip().removeprefix(" ") for line in text.split("\n"))
