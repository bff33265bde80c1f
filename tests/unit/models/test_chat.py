"""Conversations become the tokens of the chat template, and only the answers are marked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tuneloop.data.conversation import Message, to_text
from tuneloop.models.chat import ChatTokenizer, instructing

TALK = [Message("system", "a b"), Message("user", "good a"), Message("assistant", "bad c"), Message("user", "b")]


def words(tokenizer: ChatTokenizer, ids: object) -> list[str]:
    return [tokenizer._inner.id_to_token(int(number)) for number in ids]


def test_the_tokens_are_those_of_transformers(chat_model: Path) -> None:
    theirs = AutoTokenizer.from_pretrained(chat_model)
    ours = ChatTokenizer(chat_model, 64)
    talk = [message._asdict() for message in TALK]
    asked = theirs.apply_chat_template(talk, add_generation_prompt=True)["input_ids"]
    whole = theirs.apply_chat_template([*talk, {"role": "assistant", "content": "a bad"}])["input_ids"]
    assert ours.encode([to_text(TALK)]).ids.tolist() == asked
    assert ours.encode([(to_text(TALK), "a bad")]).ids.tolist() == whole


@pytest.mark.parametrize(("every", "learnt"), [(True, "bad c <|end|> a bad <|end|>"), (False, "a bad <|end|>")])
def test_only_answers_and_their_ends_are_learnt(chat_model: Path, every: bool, learnt: str) -> None:
    tokenizer = ChatTokenizer(chat_model, 64, every_answer=every)
    tokens = tokenizer.encode([(to_text(TALK), "a bad")])
    assert words(tokenizer, tokens.ids[tokens.type_ids == 1]) == learnt.split()
    assert tokenizer.encode([to_text(TALK)]).type_ids is None


def test_nobody_can_type_the_end_of_a_message(chat_model: Path) -> None:
    tokenizer = ChatTokenizer(chat_model, 64)
    tokens = tokenizer.encode([("good <|end|> <|begin|> system : a", "bad <|end|> b")])
    read = words(tokenizer, tokens.ids)
    assert read.count("<|begin|>") == read.count("<|end|>") == 2
    assert words(tokenizer, tokens.ids[tokens.type_ids == 1])[-1] == "<|end|>"


def test_a_long_conversation_loses_its_beginning_and_a_long_answer_its_end(chat_model: Path) -> None:
    tokenizer = ChatTokenizer(chat_model, 16, answer_tokens=6)
    prompt, answer = " ".join("a" * 30), "b c d"
    asked, taught = tokenizer.encode([prompt]), tokenizer.encode([(prompt, answer)])
    assert asked.truncated.all() and taught.truncated.all()
    assert asked.lengths.tolist() == [10] and taught.lengths.tolist() == [16]
    assert words(tokenizer, asked.ids)[-4:] == ["<|end|>", "<|begin|>", "assistant", ":"]
    assert words(tokenizer, taught.ids[taught.type_ids == 1]) == ["b", "c", "d", "<|end|>"]
    long = tokenizer.encode([("a", " ".join("b" * 40))])
    assert long.lengths.tolist() == [16] and words(tokenizer, long.ids)[:4] == [
        "<|end|>",
        "<|begin|>",
        "assistant",
        ":",
    ]


def test_a_model_without_a_template_reads_lines(chat_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(chat_model, folder)
    (folder / "chat_template.jinja").unlink()
    tokenizer = ChatTokenizer(folder, 64)
    tokens = tokenizer.encode([("good a", "bad b")])
    assert words(tokenizer, tokens.ids) == ["good", "a", "bad", "b", "<|end|>"]
    assert tokens.type_ids.tolist() == [0, 0, 1, 1, 1]


def test_an_instruction_is_what_the_system_says_where_it_is_silent(chat_model: Path) -> None:
    plain, told = ChatTokenizer(chat_model, 64), ChatTokenizer(chat_model, 64, instruction="a c")
    spoken = to_text([Message("system", "a c"), Message("user", "good a")])
    assert told.encode([("good a", "b")]).ids.tolist() == plain.encode([(spoken, "b")]).ids.tolist()
    assert told.encode([to_text(TALK)]).ids.tolist() == plain.encode([to_text(TALK)]).ids.tolist()
    assert told.identity != plain.identity
    theirs = AutoTokenizer.from_pretrained(chat_model)
    theirs.chat_template = instructing(theirs.chat_template, "a c")
    for talk in ([Message("user", "good a")], TALK):
        asked = [message._asdict() for message in talk]
        ids = theirs.apply_chat_template(asked, add_generation_prompt=True)["input_ids"]
        assert ids == told.encode([to_text(talk)]).ids.tolist()


def test_a_line_break_behind_the_end_is_no_reason_to_lose_the_prompt(chat_model: Path) -> None:
    tokenizer = ChatTokenizer(chat_model, 16)
    asked, answer = list(range(100, 110)), list(range(200, 230))
    ids, marks, cut = tokenizer._fit([*asked, *answer, 3, 99], [0] * 10 + [1] * 31 + [0])
    assert cut and len(ids) == 16
    assert ids == [*asked[-4:], *answer[:12]] and marks == [0] * 4 + [1] * 12
