"""Files as text that knows its sections and pages; what cannot be read is named."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneloop.core.errors import DataError
from tuneloop.knowledge.chunks import chunks, length, sentences
from tuneloop.knowledge.documents import Document, Part, find_files, read_document


def pdf(pages: list[str], password: str = "") -> bytes:
    """A PDF whose pages hold these ASCII texts; an empty one is a page without text."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(200, 200)
        font = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
                                 NameObject("/BaseFont"): NameObject("/Helvetica")})  # fmt: skip
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F"): font})}
        )
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F 12 Tf 10 100 Td ({text}) Tj ET".encode() if text else b"")
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def word(parts: list[tuple[str, str]]) -> bytes:
    """A Word document of (style, text)."""
    from docx import Document as new

    document = new()
    for style, text in parts:
        document.add_paragraph(text, style=style)
    document.add_table(rows=1, cols=2).rows[0].cells[1].text = "in a cell"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def bomb() -> bytes:
    """A Word document of 70 kB that unpacks to 70 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * (70 << 20))
    return buffer.getvalue()


def parts(path: Path, content: str | bytes) -> list[tuple[str, str]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(part.section, part.text) for part in read_document(path).parts]


def test_the_headings_of_markdown_are_sections_but_not_those_in_code(tmp_path: Path) -> None:
    found = parts(
        tmp_path / "a.md",
        "before\n\n# One `x`\n\ntext\n\n```\n# code\n```\n\n### Deep ###\n\nmore <!-- hidden -->\n\nTwo\n---\n\nlast\n",
    )
    assert found == [
        ("", "before"),
        ("One x", "text\n\n```\n# code\n```"),
        ("One x > Deep", "more"),
        ("One x > Two", "last"),
    ]


def test_of_html_only_what_is_read_remains(tmp_path: Path) -> None:
    found = parts(
        tmp_path / "a.html",
        "<head><title>no</title><style>p{}</style></head><nav>menu</nav><h1>A <b>title</b></h1><p>One\n two.</p>"
        "<script>bad()</script><div>three<br>four</div><h2>Sub</h2><ul><li>x<li>y</ul><footer>foot</footer>",
    )
    assert found == [("A title", "One two.\n\nthree\nfour"), ("A title > Sub", "x\ny")]


def test_a_pdf_keeps_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(["first page", "", "third page"]))
    assert [(part.page, part.text) for part in read_document(path).parts] == [(1, "first page"), (3, "third page")]


def test_a_word_document_has_sections_and_the_rows_of_tables(tmp_path: Path) -> None:
    found = parts(tmp_path / "a.docx", word([("Heading 1", "Top"), ("Normal", "text"), ("Heading 2", "Below")]))
    assert found == [("Top", "text"), ("Top > Below", "| in a cell")]


def test_a_cell_over_several_columns_is_read_once_and_equal_cells_are_all_read(tmp_path: Path) -> None:
    from docx import Document as new

    document = new()
    table = document.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
    table.cell(0, 2).text = "narrow"
    table.rows[0]._tr.tc_lst[0].grid_span = 10**9  # as a hostile file may say
    for cell, text in zip(table.rows[1]._tr.tc_lst, ("5", "5", "6"), strict=True):
        cell.p_lst[0].add_r().text = text
    buffer = io.BytesIO()
    document.save(buffer)
    assert parts(tmp_path / "a.docx", buffer.getvalue()) == [("", "wide | narrow\n5 | 5 | 6")]


def test_end_tags_of_nothing_do_not_hide_how_deep_a_page_is(tmp_path: Path) -> None:
    from tuneloop.knowledge.formats.html import DEEPEST_PAGE

    assert parts(tmp_path / "a.html", "</i></b>" * 600 + "<div>x</div>" * 600)[0][1].count("x") == 600
    with pytest.raises(DataError, match="too deep"):
        parts(tmp_path / "b.html", "</div>" * 600 + "<div></b>" * (DEEPEST_PAGE + 1) + "x")


def test_a_row_of_a_table_of_questions_is_never_cut(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text("id,question,answer\n7,How long?," + "A long answer. " * 50 + "\n8,,short\n")
    document = read_document(path)
    found = list(chunks(document, size=100, overlap=10))
    assert [chunk.section for chunk in found] == ["How long?", "8"]
    assert document.text[found[1].start : found[1].end] == "short"


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "locked.pdf": (lambda: pdf(["secret"], password="x"), "encrypted"),
    "scan.pdf": (lambda: pdf(["", ""]), "pictures"),
    "broken.pdf": (lambda: b"%PDF-1.7\nnonsense", "damaged"),
    "bomb.docx": (bomb, "too large"),
    "broken.docx": (lambda: b"PK\x03\x04nothing", "damaged"),
    "deep.html": (lambda: b"<div>" * 200_000 + b"x", "too deep"),
    "blank.txt": (lambda: b" \n\x00\n", "no text"),
    "mixed.txt": (lambda: "好的\n".encode() * 3 + "café\n".encode("latin-1"), "encoding"),
    "table.csv": (lambda: b"a,b\n1,2\n", "columns"),
    "tool.exe": (lambda: b"MZ", "kind"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path, name: str) -> None:
    make, says = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(DataError) as caught:
        read_document(tmp_path / name)
    assert name in caught.value.problem and says in caught.value.problem


def test_text_in_another_encoding_is_read(tmp_path: Path) -> None:
    assert parts(tmp_path / "a.txt", "发票须在三十天内提交给财务部。".encode("gb18030")) == [
        ("", "发票须在三十天内提交给财务部。")
    ]


def test_a_folder_gives_its_documents_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/x.md", "b/.hidden.md", ".git/y.md", "a.txt", "a.exe"):
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    found = find_files(["docs", "docs/*.txt"], base=tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["docs/a.txt", "docs/b/x.md"]
    with pytest.raises(DataError, match="no documents"):
        find_files(["docs/*.pdf"], base=tmp_path)


TEXT = st.text(alphabet=st.sampled_from("ab .。!\n好的x-1"), max_size=300)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXT, max_size=3), size=st.integers(50, 120), overlap=st.integers(0, 25))
def test_chunks_hold_every_word_and_no_more_than_their_size(texts: list[str], size: int, overlap: int) -> None:
    document = Document("d", tuple(Part(text.strip(), section=str(n)) for n, text in enumerate(texts)))
    found = list(chunks(document, size=size, overlap=overlap))
    covered = set()
    bounds = {str(n): (start, start + len(part.text)) for n, (start, part) in enumerate(document.placed())}
    for chunk in found:
        text = document.text[chunk.start : chunk.end]
        low, high = bounds[chunk.section]
        assert text == text.strip() != "" and length(text) <= size and low <= chunk.start < chunk.end <= high
        covered |= set(range(chunk.start, chunk.end))
    assert all(place in covered for place, character in enumerate(document.text) if not character.isspace())


def test_sentences_end_where_people_end_them() -> None:
    text = 'See e.g. Dr. Smith. He said "no." Then:\n- an item\n- 另一个。最后一句'
    assert [text[start:end] for start, end in sentences(text)] == [
        "See e.g. Dr. Smith.", 'He said "no."', "Then:", "- an item", "- 另一个。", "最后一句",
    ]  # fmt: skip
