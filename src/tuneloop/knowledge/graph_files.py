"""Files of facts: CSV, TSV, N-Triples, and the .kg, .link and .item files of RecBole."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from tuneloop.core.errors import DataError
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.data.readers.table import place
from tuneloop.knowledge.files import find_file, licence_of
from tuneloop.knowledge.graph import Graph, Triple, named

HEADERS = ("head", "subject", "head_id", "source", "entity", "主语", "头实体")
"""How the first cell of a header is called; any other first row is a fact."""

LINE = re.compile(
    r'\s*(?:<(?P<head>[^<>"\s]+)>|(?P<hblank>_:\S+))\s+<(?P<relation>[^<>"\s]+)>\s+'
    r'(?:<(?P<tail>[^<>"\s]+)>|(?P<tblank>_:[^\s.]+)|"(?P<literal>(?:[^"\\]|\\.)*)"(?:@[\w-]+|\^\^<[^<>]*>)?)\s*\.'
    r"\s*(?:#.*)?$"
)
"""A line of N-Triples (W3C, 2014)."""

ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")


def read_graph(source: str, *, base: Path, names: tuple[str, ...] = (), licence: str = "") -> Graph:
    """The graph in a file.

    Args:
        source: .csv or .tsv with head, relation and tail, .nt, or RecBole's .kg, whose .link and .item beside it give
            the names; also `pkg:PACKAGE/FILE`.
        base: the folder that a relative path starts from.
        names: further files of entity and name, .csv or .tsv.
        licence: where it is known already.

    Raises:
        DataError: naming file and row, if one cannot be read.
    """
    path = find_file(source, base=base)
    suffix = path.suffix.lower()
    called: list[tuple[str, str]] = []
    if suffix == ".nt":
        triples = list(_n_triples(path))
    elif suffix in (".csv", ".tsv", ".tab", ".kg"):
        triples = [Triple(*cells) for cells in _rows(path, 3)]
    else:
        raise DataError(
            t("{file} is no graph that can be read.", file=path.name), t("Give a .csv, .tsv, .nt or .kg file of facts.")
        )
    if suffix == ".kg":
        called += _linked(path)
    for each in names:
        called += [(entity, name) for entity, name in _rows(find_file(each, base=base), 2)]
    if not triples:
        raise DataError(t("{file} holds no facts.", file=path.name), t("Give facts of head, relation and tail."))
    return Graph(triples, called, source=source, licence=licence or licence_of(source))


def write_graph(path: Path, graph: Graph) -> None:
    """Facts and names as TSV with the columns head, relation and tail."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(["head", "relation", "tail"])
    writer.writerows(graph.triples)
    writer.writerows((entity, "name", name) for entity, name in named(graph))
    write_text(path, buffer.getvalue())


def _rows(path: Path, width: int) -> Iterator[list[str]]:
    """The rows of a table of `width` columns, without a header."""
    text, _ = decode(path.read_bytes(), path=path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="," if path.suffix.lower() == ".csv" else "\t")
    for row, cells in enumerate(reader, start=1):
        if not cells or (row == 1 and cells[0].partition(":")[0].strip().lower() in HEADERS):
            continue
        cells = [cell.strip() for cell in cells]
        if len(cells) != width or not all(cells):
            raise DataError(
                t("{place}: {count} filled cells are wanted, there are {found}.", place=place(path, row), count=width,
                  found=sum(map(bool, cells))),
                t("Write head, relation and tail in each row, or entity and name in a file of names."),
            )  # fmt: skip
        yield cells


def _linked(path: Path) -> list[tuple[str, str]]:
    """The titles of RecBole's items as names of the entities they are linked to."""
    link, items = path.with_suffix(".link"), path.with_suffix(".item")
    if not link.is_file() or not items.is_file():
        return []
    titles: dict[str, str] = {}
    text, _ = decode(items.read_bytes(), path=items)
    header, *rows = text.splitlines()
    columns = [name.partition(":")[0] for name in header.split("\t")]
    title = next((number for number, name in enumerate(columns) if "title" in name or "name" in name), None)
    if title is None:
        return []
    for row, line in enumerate(rows, start=2):
        cells = line.split("\t")
        if len(cells) <= title:
            raise DataError(
                t("{place}: the title is missing.", place=place(items, row)), t("Fill it in or delete the row.")
            )
        titles[cells[0]] = cells[title]
    found: list[tuple[str, str]] = []
    text, _ = decode(link.read_bytes(), path=link)
    for row, line in enumerate(text.splitlines()[1:], start=2):
        item, tab, entity = line.partition("\t")
        if not tab or not entity.strip():
            raise DataError(
                t("{place}: an item, a tab and an entity are wanted.", place=place(link, row)),
                t("Correct this row."),
            )
        if item in titles:
            found.append((entity.strip(), titles[item]))
    return found


def _n_triples(path: Path) -> Iterator[Triple]:
    text, _ = decode(path.read_bytes(), path=path)
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.match(line.rstrip("\r"))
        if found is None:
            raise DataError(
                t("{place}: this is no line of N-Triples.", place=place(path, number)),
                t("Write: <head> <relation> <tail> ."),
            )
        relation = re.split(r"[/#]", found["relation"])[-1] or found["relation"]
        tail = found["tail"] or found["tblank"] or _unescaped(found["literal"] or "")
        if tail.strip():
            yield Triple(found["head"] or found["hblank"], relation, tail)


def _unescaped(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

    def character(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "uU" and len(code) > 1:
            number = int(code[1:], 16)
            return chr(number) if number <= 0x10FFFF else "\ufffd"
        return plain.get(code, code)

    return ESCAPE.sub(character, text)
