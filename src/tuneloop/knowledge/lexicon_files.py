"""Files of terms: CSV and TSV with columns, YAML by category, and the lexicons inside installed packages."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from tuneloop.core.errors import DataError
from tuneloop.core.fsio import write_text
from tuneloop.core.i18n import t
from tuneloop.data.encoding import decode
from tuneloop.data.readers.delimited import read_csv, read_tsv
from tuneloop.data.readers.table import Table, place
from tuneloop.knowledge.files import find_file, licence_of
from tuneloop.knowledge.lexicon import Lexicon, Term

TERM_COLUMNS = ("term", "word", "phrase", "entry", "词", "词语")
CATEGORY_COLUMNS = ("category", "label", "类别", "标签")
WEIGHT_COLUMNS = ("weight", "score", "权重")

MASTER_COLUMNS = ("Negative", "Positive", "Uncertainty", "Litigious", "Constraining")
"""Categories of the Loughran-McDonald master dictionary: above 0 is the year in which a word was added.

Loughran and McDonald, "When Is a Liability Not a Liability?" (Journal of Finance 66, 2011)."""

LICENCES = {
    "LM.csv": "Loughran-McDonald word lists: free for research; ask their authors before commercial use",
    "HIV-4.csv": "Harvard IV-4 (General Inquirer): free for research; ask its authors before commercial use",
}
"""What the authors of a packaged list ask for, beside the licence of the package."""


def read_lexicon(
    source: str, *, base: Path, case_sensitive: bool = False, licence: str = "", categories: Iterable[str] = ()
) -> Lexicon:
    """The lexicon in a file.

    Args:
        source: a .csv, .tsv, .yaml file, or `pkg:PACKAGE/FILE`; a table has the columns term, category and, if it
            likes, weight; YAML has a list of terms, or terms with weights, for each category.
        base: the folder that a relative path starts from.
        case_sensitive: whether capitals count.
        licence: where it is known already.
        categories: only terms of these; all by default.

    Raises:
        DataError: naming file and row, if it cannot be read.
    """
    path = find_file(source, base=base)
    entries = list(_entries(path))
    if categories:
        entries = [entry for entry in entries if entry.category in set(categories)]
    if not entries:
        raise DataError(t("{file} holds no terms.", file=path.name), t("Give terms with a category each."))
    notes = [licence or licence_of(source), LICENCES.get(path.name, "") if source.startswith("pkg:") else ""]
    return Lexicon(
        entries, case_sensitive=case_sensitive, name=path.stem, source=source, licence="; ".join(filter(None, notes))
    )


def write_lexicon(path: Path, lexicon: Lexicon) -> None:
    """The terms as CSV with the columns term, category and weight."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["term", "category", "weight"])
    writer.writerows((entry.term, entry.category, repr(entry.weight)) for entry in lexicon.entries)
    write_text(path, buffer.getvalue())


def _entries(path: Path) -> Iterator[Term]:
    suffix = path.suffix.lower()
    if suffix in (".yaml", ".yml"):
        return _of_yaml(path)
    if suffix == ".txt":
        return _of_vader(path)
    if suffix not in (".csv", ".tsv", ".tab"):
        raise DataError(
            t("{file} is no lexicon that can be read.", file=path.name),
            t("Give a .csv, .tsv or .yaml file with terms and categories."),
        )
    table = (read_csv if suffix == ".csv" else read_tsv)(path)
    if {"Word", *MASTER_COLUMNS} <= table.columns.keys():
        return _of_master(table)
    if {"Entry", "Positiv", "Negativ"} <= table.columns.keys():
        return _of_inquirer(table)
    return _of_table(table)


def _of_table(table: Table) -> Iterator[Term]:
    terms = _column(table, TERM_COLUMNS)
    categories = _column(table, CATEGORY_COLUMNS)
    if terms is None or categories is None:
        raise DataError(
            t("{file} needs the columns term and category.", file=table.path.name),
            t("Its columns: {known}.", known=", ".join(table.columns)),
        )
    weights = _column(table, WEIGHT_COLUMNS)
    for row in range(len(table)):
        weight = 1.0 if weights is None else _number(table.columns[weights][row], table.place(row, weights))
        for column in (terms, categories):
            if not table.columns[column][row].strip():
                raise DataError(
                    t("{place}: empty.", place=table.place(row, column)), t("Fill it in or delete the row.")
                )
        yield Term(table.columns[terms][row].strip(), table.columns[categories][row].strip(), weight)


def _column(table: Table, names: tuple[str, ...]) -> str | None:
    """The first of these columns that the table has, whatever its capitals."""
    known = {name.strip().lower(): name for name in table.columns}
    return next((known[name] for name in names if name in known), None)


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell) if cell.strip() else 1.0
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            t("{place}: {value!r} is not a number.", place=where, value=cell[:60]), t("Write it as 1 or 0.5.")
        )
    return value


def _of_master(table: Table) -> Iterator[Term]:
    """Loughran and McDonald's words, in small letters."""
    for name in MASTER_COLUMNS:
        for word, year in zip(table.columns["Word"], table.columns[name], strict=True):
            if year.lstrip("-").isdigit() and int(year) > 0:
                yield Term(word.lower(), name.lower())


def _of_inquirer(table: Table) -> Iterator[Term]:
    """The General Inquirer's words; senses of one word (`ABOUT#1`) are one term."""
    for name, category in (("Positiv", "positive"), ("Negativ", "negative")):
        for word, given in zip(table.columns["Entry"], table.columns[name], strict=True):
            if given.strip():
                yield Term(word.partition("#")[0].lower(), category)


def _of_vader(path: Path) -> Iterator[Term]:
    """A line per term: the term, a tab, its mean rating below or above 0. Hutto and Gilbert, "VADER" (ICWSM 2014)."""
    text, _ = decode(path.read_bytes(), path=path)
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        term, tab, rest = row.partition("\t")
        where = place(path, line)
        if not tab or not term.strip():
            raise DataError(
                t("{place}: a term, a tab and a number are wanted.", place=where),
                t("Give a .csv, .tsv or .yaml file with terms and categories."),
            )
        weight = _number(rest.partition("\t")[0], where)
        yield Term(term.strip(), "positive" if weight > 0 else "negative", weight)


def _of_yaml(path: Path) -> Iterator[Term]:
    """`category: [term, term]` or `category: {term: weight}`; errors name the line."""
    text, _ = decode(path.read_bytes(), path=path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(
            t("{path} is not valid YAML: {error}", path=path.name, error=" ".join(str(error).split())),
            t("Check the indentation and the quotes at that place."),
        ) from None
    if not isinstance(root, yaml.MappingNode):
        raise _unlike(path, 1)
    for category, terms in root.value:
        if isinstance(terms, yaml.SequenceNode):
            pairs = [(each, None) for each in terms.value]
        elif isinstance(terms, yaml.MappingNode):
            pairs = terms.value
        else:
            raise _unlike(path, terms.start_mark.line + 1)
        for term, weight in pairs:
            line = term.start_mark.line + 1
            if not isinstance(term, yaml.ScalarNode) or not term.value.strip():
                raise _unlike(path, line)
            if weight is not None and not isinstance(weight, yaml.ScalarNode):
                raise _unlike(path, line)
            number = 1.0 if weight is None else _number(weight.value, place(path, line))
            yield Term(term.value.strip(), str(category.value), number)


def _unlike(path: Path, line: int) -> DataError:
    return DataError(
        t("{file}, line {line}: a category with a list of terms is wanted.", file=path.name, line=line),
        t("Write: negative: [loss, profit warning], or with weights: negative: {loss: 0.5}."),
    )
