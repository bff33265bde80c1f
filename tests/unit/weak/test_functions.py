"""Each kind of function says what its file says, and every mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.weak.base import vote
from tuneloop.weak.functions import FunctionFile, read_functions
from tuneloop.weak.table import near_duplicates, rows

LEXICON = "term,category,weight\ngood,plus,1\ngreat,plus,3\nbad,minus,2\nawful,minus,3\n"
RULES = """
rules:
  - {name: refund, if: {contains: refund}, then: {label: no}}
  - {name: unsure, if: {contains: maybe}, then: {flag: true}}
"""
PROGRAM = """
from tuneloop.weak import labelling_function

@labelling_function
def shouting(text):
    return "no" if text.isupper() else None

def other(text):
    return "no"
"""
FUNCTIONS = r"""
version: 1
functions:
  - name: words
    lexicon: terms.csv
    labels: {plus: yes, minus: no}
    margin: 2
    negated: turn
  - {name: thanks, regex: 'thank(s| you)', label: yes}
  - {name: ruled, rules: rules.yaml}
  - {python: mine.py}
"""
TEXTS = ["A GREAT BAD DAY", "great, thanks", "good and bad", "not great", "a refund maybe", "nothing"]


def written(folder: Path, functions: str = FUNCTIONS) -> FunctionFile:
    for name, text in {"terms.csv": LEXICON, "rules.yaml": RULES, "mine.py": PROGRAM, "f.yaml": functions}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return read_functions(folder / "f.yaml", workspace=Workspace(folder))


def test_every_kind_speaks_as_its_file_says_and_a_program_never_silently(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path)
    told = capsys.readouterr().err
    assert "f.yaml, line 11 runs the program" in told and "mine.py" in told
    assert [function.name for function in file.functions] == ["words", "thanks", "ruled", "shouting"]
    votes = vote(file.functions, TEXTS, file.classes(), quiet=True)
    assert votes.labels == ("no", "yes")
    said = [[("-" if n < 0 else votes.labels[n]) for n in row] for row in votes.matrix]
    # 3 against 2 is no lead of 2; a denied great counts for the other class
    assert said[0] == ["-", "-", "-", "no"]
    assert said[1] == ["yes", "yes", "-", "-"]
    assert said[2] == ["-", "-", "-", "-"]
    assert said[3] == ["no", "-", "-", "-"]
    assert said[4] == ["-", "-", "no", "-"]
    assert votes.speakers(1) == ["words", "thanks"]


@pytest.mark.parametrize(
    ("change", "line", "problem"),
    [
        ((r"regex: 'thank(s| you)'", r"regex: 'thank('"), 9, "regular expression"),
        (("label: yes}", "lable: yes}"), 9, "lable"),
        (("{plus: yes, minus: no}", "{plus: yes, minsu: no}"), 6, "minsu"),
        (("name: ruled, rules: rules.yaml", "name: words, rules: rules.yaml"), 10, "two functions are called words"),
        (("{python: mine.py}", "{python: mine.py, function: other}"), 11, "marks no function other"),
        (("{python: mine.py}", "{python: none.py}"), 11, "there is no file"),
        (("margin: 2", "margin: two"), 7, "is not a number"),
        (("{python: mine.py}", "{name: x}"), 11, "exactly one of"),
    ],
)
def test_a_mistake_names_file_and_line(tmp_path: Path, change: tuple[str, str], line: int, problem: str) -> None:
    assert change[0] in FUNCTIONS
    with pytest.raises(ConfigError, match=problem) as refused:
        written(tmp_path, FUNCTIONS.replace(*change))
    assert f"f.yaml, line {line}" in refused.value.problem


def test_a_class_that_dev_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'yes', which is no class"):
        written(tmp_path).classes(("no", "yess"))


def test_the_table_counts_what_functions_say_and_names_copies(tmp_path: Path) -> None:
    copied = FUNCTIONS + "  - {name: again, regex: 'thanks', label: yes}\n"
    file = written(tmp_path, copied)
    texts = ["thanks", "thanks, awful bad", "great thanks", "GREAT GREAT", "so it is"]
    votes = vote(file.functions, texts, file.classes(), quiet=True)
    words, thanks, *_ = rows(file.functions, votes, votes, np.array([1, 0, 1, 0, 0]))
    assert (words["coverage"], words["overlap"], words["conflict"]) == (0.6, 0.6, 0.4)
    assert thanks["labels"] == {"yes": 3}
    assert thanks["dev_votes"] == 3 and thanks["accuracy"]["value"] == pytest.approx(2 / 3)
    # Wilson's interval of 2 in 3, from the formula
    z, p, n = 1.959964, 2 / 3, 3
    centre, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert thanks["accuracy"]["low"] == pytest.approx((centre - spread) / (1 + z * z / n), abs=1e-6)
    (pair,) = near_duplicates(votes, threshold=0.9)
    assert {pair["first"], pair["second"]} == {"thanks", "again"} and pair["kind"] == "near_duplicate"
