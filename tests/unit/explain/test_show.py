"""Heat-maps: words as text, numbers beside colours."""

from __future__ import annotations

import io
import re
from html import unescape

from rich.console import Console

from tests.audited import word_model
from tuneloop.core.i18n import use_language
from tuneloop.explain import create_explainer
from tuneloop.explain.base import Explanation
from tuneloop.explain.show import bars, explanation_html, heat_text, rows, sentences


def found(text: str, name: str = "shapley", **options: object) -> Explanation:
    return create_explainer(name, options).explain(word_model(), text, label="yes")


def test_a_page_holds_the_text_as_text_alone() -> None:
    text = 'a good <img src=x onerror="alert(1)"> bad &amp; {format} \u202e end'
    page = explanation_html(found(text, interactions=3), name="<b>m</b>")
    assert "<img" not in page and "<script" not in page and "<b>" not in page
    shown = unescape(
        re.sub("<[^>]*>", "", re.sub("<small>.*?</small>", "", page.split("pre-wrap")[1].split("</p>")[0]))
    )
    assert text in shown
    assert page.count("+0.") and page.count("-0.") and "Parts that act together" in page


def test_a_terminal_shows_numbers_so_that_colours_are_not_needed() -> None:
    each = found("a good room was bad good")
    out = io.StringIO()
    Console(file=out, width=200).print(heat_text(each))
    assert re.search(r"a good\(\+0\.\d\d\) room was bad\(-0\.\d\d\) good\(\+0", out.getvalue())
    assert rows(each)[0][0] in ("good", "bad") and float(rows(each)[0][1]) != 0
    assert bars(each)[0] in ("+" * 20, "-" * 20) and bars(each)[-1] == ""


def test_a_text_commands_no_terminal() -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(heat_text(found("[bold]good[/bold] good [link=x] \x1b[2J")))
    assert "[bold]good[/bold]" in out.getvalue() and "[link=x]" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_what_is_no_explanation_says_so_in_both_languages() -> None:
    each = found("a good room", "random")
    assert any("Do not take this for a reason" in said for said in sentences(each))
    use_language("zh")
    try:
        assert any("不要把它当作理由" in said for said in sentences(each))
    finally:
        use_language(None)
