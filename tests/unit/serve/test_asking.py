"""Questions to the documents of a release, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tuneloop.knowledge import NewIndex, open_index
from tuneloop.serve.asking import LockedIndex

LEAVE = "# Leave\n\nEach employee has 28 days of leave a year.\n\n# 报销\n\n发票须在三十天内提交给财务部。\n"


@pytest.fixture
def documents(tmp_path):
    (tmp_path / "handbook.md").write_text(LEAVE, encoding="utf-8")
    with open_index(tmp_path / "index", new=NewIndex()) as index:
        index.add([tmp_path / "handbook.md"], quiet=True)
    return LockedIndex(open_index(tmp_path / "index", read_only=True))


def test_an_answer_cites_and_what_nothing_supports_is_not_answered(start, documents):
    live = start(documents=documents)

    def ask(question):
        return live.ask("POST", "/v1/ask", {"question": question}).body

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, ["How many days of leave does an employee have?", "发票要在几天内提交？"] * 6))
    assert all("28 days" in each["text"] for each in found[::2])
    assert all("三十天" in each["text"] and each["citations"][0]["section"] == "报销" for each in found[1::2])
    assert found[0]["release"] == "m-1" and found[0]["citations"][0]["quote"].startswith("Each employee")
    nothing = ask("Who won the world cup?")
    assert nothing["abstained"] and nothing["text"] == "" and nothing["citations"] == []


def test_a_model_that_writes_answers_from_them_or_not_at_all(start, tiny_writer, documents):
    live = start(writer=tiny_writer, documents=documents)
    found = live.ask("POST", "/v1/ask", {"question": "How many days of leave does an employee have?"})
    assert found.status == 200 and found.body["abstained"]  # the model is random: nothing it says is borne out


def test_bad_questions_are_refused(start, documents):
    live = start(documents=documents, max_text_chars=100)
    for body, status in ((b"{", 400), ({"question": ""}, 422), ({"text": "a"}, 422), ({"question": "a" * 101}, 413)):
        assert live.ask("POST", "/v1/ask", body).status == status
    assert start().ask("POST", "/v1/ask", {"question": "a"}).status == 404
