"""A model that writes answers from passages, as `ask` uses it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tuneloop.core.errors import ConfigError
from tuneloop.core.paths import Workspace
from tuneloop.data.conversation import Message, to_text
from tuneloop.inference.ruling import outcomes, ruled
from tuneloop.knowledge.answers import Answer, Citation
from tuneloop.knowledge.rules import parse_rules
from tuneloop.releases import knowledge
from tuneloop.releases.index import Row, insert
from tuneloop.releases.knowledge import by_rules, open_knowledge, open_writing
from tuneloop.releases.read import Release
from tuneloop.tasks.generation import Generation


def test_a_pretrained_model_writes_and_knows_what_it_can_read(chat_model: Path) -> None:
    writer = open_writing(model=str(chat_model))
    short = to_text([Message("system", "a b"), Message("user", "c d")])
    assert isinstance(writer(short), str)
    assert writer.fits(short) and not writer.fits(to_text([Message("user", "a " * 5000)]))


def test_one_model_must_be_given() -> None:
    release = Release("a-1", Path(), {})
    for given in ({}, {"release": release, "model": "b"}):
        with pytest.raises(ConfigError, match="either a release or a model"):
            open_writing(**given)


def test_a_release_writes_if_it_was_tuned_to(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Release("a-1", Path(), {})
    task = SimpleNamespace(generates=True, name="generation")
    predictor = SimpleNamespace(task=task, scores=lambda prompts: [SimpleNamespace(text=f"to {prompts[0]}")])
    monkeypatch.setattr(Release, "predictor", lambda _: predictor)
    assert open_writing(release=release)("x") == "to x"
    task.generates, task.name = False, "qa"
    with pytest.raises(ConfigError, match="a-1 was tuned for qa, which writes no texts"):
        open_writing(release=release)


class Ones:
    """An embedder to which all texts are alike."""

    identity = "ones"

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        return np.ones((len(texts), 1), np.float32)

    def known(self, text: str) -> float:
        return 1.0


def test_the_encoder_of_an_index_is_the_release_that_was_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(knowledge, "open_encoder", lambda source, _: asked.append(source) or Ones())

    def released(number: int) -> None:
        insert(Row(f"near-{number}", "run", "hash", f"2026-01-0{number}", "torch-fp32"), Workspace(tmp_path))

    released(1)
    released(2)
    with open_knowledge(workspace=tmp_path, create=True, encoder="near") as index:
        assert index.settings["source"] == "near-2"
    released(3)
    with open_knowledge(workspace=tmp_path) as index:
        assert index.settings["source"] == "near-2"
    assert asked == ["near-2", "near-2"]


def test_a_rule_keeps_a_whole_answer_back_and_says_which() -> None:
    task = Generation(Generation.Options(), {})
    book = parse_rules("rules:\n  - name: quiet\n    then: {must_not_say: 'salar(y|ies)', instead: Ask us.}\n")
    predictor = SimpleNamespace(task=task, final=lambda asked, found: ruled(found, outcomes(book, task, asked, found)))
    cited = (Citation(1, "a.md", "", None, 0, 4, "text", 1.0),)
    secret, plain = (
        Answer("What?", f"{what} are paid monthly. [1]", cited, abstained=False, why="", support=0.5)
        for what in ("Salaries", "Rents")
    )
    kept_back = by_rules(secret, predictor)
    assert kept_back.abstained and "quiet" in kept_back.why and not kept_back.citations
    assert "Salaries" not in str(kept_back.to_json())
    assert by_rules(plain, predictor) is plain
    assert by_rules(secret, SimpleNamespace(task=SimpleNamespace(generates=False))) is secret
