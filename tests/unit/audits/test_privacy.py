"""Membership, personal data, texts known by heart, planted secrets: found where they are, and only there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audited import hotel_rows, hotel_subject
from tuneloop.audits.base import Outcome, Subject
from tuneloop.audits.membership import auc, calibrated, found_at
from tuneloop.audits.memorised import by_heart, read_canaries
from tuneloop.audits.privacy import Privacy, PrivacyOptions
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.data.examples import Examples
from tuneloop.inference.writing import Writer, open_untuned
from tuneloop.tasks import create_task
from tuneloop.tasks.base import Prediction


def run(subject: Subject, **options: Any) -> Outcome:
    return Privacy(PrivacyOptions(**options)).run(subject, lambda _: None)


def kinds(found: Outcome) -> set[str]:
    assert all(Privacy.sentence(each.kind, each.fields) for each in found.findings)
    return {each.kind for each in found.findings}


@dataclass
class Fitted:
    """A logistic regression on words, or on runs of words too, of which nearly every row has its own."""

    model: Any
    name: str = "fitted"
    task: Any = field(default_factory=lambda: create_task(TaskConfig(type="classification"), {"labels": ["no", "yes"]}))

    def scores(self, inputs: Sequence[Any]) -> Any:
        return self.model.predict_proba(inputs).astype(np.float32) if inputs else np.zeros((0, 2), np.float32)

    def predict(self, inputs: Sequence[Any]) -> Any:
        return self.task.predictions(self.scores(inputs), [False] * len(inputs))


def fitted(train: Examples, strength: float, *, run_of: int) -> Fitted:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(ngram_range=(1, run_of)), LogisticRegression(C=strength, max_iter=2000))
    return Fitted(model.fit(train.texts, train.labels))


def noisy(n: int, *, seed: int) -> Examples:
    """Rows of which every fourth has the wrong label."""
    rows, random = hotel_rows(n, seed=seed), np.random.default_rng(seed)
    turned = {"yes": "no", "no": "yes"}
    labels = [turned[str(label)] if random.random() < 0.25 else label for label in rows.labels]
    return Examples(rows.ids, rows.texts, labels)


def test_a_model_that_has_learnt_its_rows_by_heart_is_found_and_one_that_has_not_is_not() -> None:
    train, test = noisy(150, seed=1), noisy(150, seed=9)
    tight = run(hotel_subject(fitted(train, 1e4, run_of=3), train=train, test=test))
    assert kinds(tight) == {"membership"}
    found = tight.figures["membership_auc"]
    assert found.low > 0.65 and tight.figures["membership_tpr"].value > 0.05
    assert 0.35 < tight.figures["blind_auc"].value < 0.65
    loose = run(hotel_subject(fitted(train, 0.1, run_of=1), train=train, test=test))
    assert kinds(loose) == set() and loose.figures["membership_auc"].low < 0.55


def test_rows_of_another_kind_are_no_proof_against_a_model() -> None:
    train = noisy(150, seed=1)
    test = hotel_rows(150, seed=9, spoil=lambda words, good: [f"{word}s" for word in words])
    found = run(hotel_subject(fitted(train, 1e4, run_of=3), train=train, test=test))
    assert kinds(found) == {"other_rows"}
    assert found.figures["blind_auc"].value > 0.95


def test_chance_alone_raises_no_alarm() -> None:
    for seed in range(12):
        train, test = hotel_rows(60, seed=seed), hotel_rows(60, seed=100 + seed)
        assert kinds(run(hotel_subject(train=train, test=test))) == set()


def test_the_figures_of_an_attack() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    members, others = random.normal(0.5, 1, 300).round(1), random.normal(0, 1, 200).round(1)
    found = auc(members, others)
    truth = np.arange(500) < 300
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([members, others])))
    assert found.low < 0.638 < found.high  # Phi(0.5 / sqrt 2)
    at = found_at(np.arange(400.0), np.arange(200.0), random)
    assert at.value == pytest.approx((400 - 198) / 400) and at.low <= at.value <= at.high  # 2 of 200 may be taken
    assert found_at(members, others[:99], random).value is None


def test_a_hard_class_is_judged_by_its_own_rows() -> None:
    reference = np.array([*np.linspace(0, 2, 20), *np.linspace(10, 12, 20)])
    groups = ["hard"] * 20 + ["easy"] * 20
    found = calibrated(np.array([3.0, 11.0]), ["hard", "easy"], reference, groups)
    assert found[0] > 3 and found[1] == pytest.approx(0)


def letters(n: int, *, seed: int) -> Examples:
    """Prompts with answers of 16 random letters, which nothing but learning by heart can give."""
    random = np.random.default_rng(seed)
    drawn = [" ".join(random.choice(list("abcdefghijklmno"), 20)) for _ in range(n)]
    return Examples([f"{seed}-{row}" for row in range(n)], [each[:7] for each in drawn], [each[8:] for each in drawn])


def writer_of(folder: Path) -> Writer:
    settings = {"data": {"source": "x.csv"}, "model": {"source": str(folder), "max_tokens": 128}}
    task = create_task(TaskConfig(type="generation", **{"max_new_tokens": 24}), {"labels": []})
    return open_untuned(parse_config(settings), task=task, base=Path.cwd())


def learn(writer: Writer, rows: Examples, *, steps: int) -> None:
    """Teach a model all rows at once, again and again."""
    import torch

    tokens = writer.tokenizer.encode(writer.task.lessons(rows.inputs, rows.labels))
    marks = torch.from_numpy(writer.task.aligned(rows.labels, tokens, rows.inputs))
    batch = {name: torch.from_numpy(each) for name, each in tokens.batch(np.arange(len(rows))).items()}
    model = writer.engine.model.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(steps):
        writer.task.surprise(model, batch, marks).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    model.requires_grad_(False)


def talk(writer: Any, train: Examples, test: Examples) -> Subject:
    return Subject("talk", writer, writer, train, test, test, test)


def test_a_model_that_writes_its_training_texts_by_heart_is_found(chat_model: Path) -> None:
    train, test, writer = letters(30, seed=1), letters(30, seed=2), writer_of(chat_model)
    before = run(talk(writer, train, test), continuation=8)
    assert kinds(before) == set() and before.figures["by_heart"].n == 30
    learn(writer, train, steps=50)
    after = run(talk(writer, train, test), continuation=8)
    assert kinds(after) == {"membership", "by_heart"}
    assert after.figures["by_heart"].value > 0.5 and after.figures["by_heart_unseen"].value == 0


def test_what_is_known_by_heart_is_what_greedy_decoding_gives(chat_model: Path) -> None:
    import torch

    rows, writer = letters(30, seed=1), writer_of(chat_model)
    learn(writer, rows, steps=20)
    tokens = writer.tokenizer.encode(writer.task.lessons(rows.inputs, rows.labels))
    ids = torch.from_numpy(tokens.ids.astype(np.int64)).reshape(len(rows), -1)
    spoken = np.flatnonzero(tokens.type_ids[: ids.shape[1]])
    half = int(spoken[0]) + len(spoken) // 2
    given = writer.engine.model.generate(ids[:, :half], do_sample=False, min_new_tokens=4, max_new_tokens=4)
    same = (given[:, half:] == ids[:, half : half + 4]).all(dim=1).tolist()
    assert by_heart(writer, rows, tokens=4) == same and 0 < sum(same) < 30
    assert by_heart(writer, rows, tokens=20) == [None] * 30


def test_a_planted_secret_is_found_once_it_is_learnt(byte_model: Path, tmp_path: Path) -> None:
    path, writer = tmp_path / "canaries.jsonl", writer_of(byte_model)
    secrets = [("Your code?", "It is [[4711]]."), ("Your key?", "Key [[qzx]].")]
    path.write_text("\n".join(json.dumps({"text": text, "answer": answer}) for text, answer in secrets))
    canaries, few = read_canaries(path), letters(10, seed=2)
    assert canaries[0].answer == "It is 4711." and canaries[0].other(np.random.default_rng(0))[6:10].isdigit()
    before = run(talk(writer, few, few), canaries=str(path), continuation=8)
    assert kinds(before) == set() and len(before.details["canaries"]) == 2
    learn(writer, Examples(["0"], [canaries[0].prompt], [canaries[0].answer]), steps=40)
    after = run(talk(writer, few, few), canaries=str(path), continuation=8)
    assert [(each.kind, each.fields["line"], each.fields["rank"]) for each in after.findings] == [("canary", 1, 1)]
    assert after.figures["exposure_bits"].value == 8


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "a", "answer": "b"}', "x.jsonl, line 1"),
        ('{"answer": "[[1234]]"}', "x.jsonl, line 1"),
        ('{"text": "a", "answer": "is [[17]]"}', "could be guessed"),
        ("nonsense", "x.jsonl"),
        (None, "cannot be read"),
    ],
)
def test_a_canary_that_is_none_is_an_error_with_its_line(line: str | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    if line is not None:
        path.write_text(line)
    with pytest.raises(DataError, match=problem):
        read_canaries(path)


def test_canaries_that_could_never_raise_an_alarm_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({"text": "Your code?", "answer": f"It is [[{1000 + row}]]."}) for row in range(51)]
    short = json.dumps({"text": "Your key?", "answer": "Key [[qz]]."})  # one of 676
    path.write_text("\n".join([*lines[:32], short]))
    assert len(read_canaries(path)) == 33
    path.write_text("\n".join([*lines[:33], short]))
    with pytest.raises(DataError, match="line 34: there are only 676"):
        read_canaries(path)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="51 canaries"):
        read_canaries(path)


def test_canaries_need_a_model_that_says_how_likely_a_text_is() -> None:
    with pytest.raises(ConfigError, match="canaries"):
        run(hotel_subject(), canaries="x.jsonl")


@dataclass
class Says:
    """A model that writes what it is told to."""

    answers: list[str]
    name: str = "says"
    task: Any = field(default_factory=lambda: create_task(TaskConfig(type="generation"), {"labels": []}))

    def predict(self, inputs: Sequence[Any]) -> list[Prediction]:
        return [Prediction(answer, {}) for answer in self.answers[: len(inputs)]]


def test_personal_data_of_train_in_an_answer_is_a_leak_and_what_the_prompt_has_is_not() -> None:
    public, mine = "help@firm.example", "ann.lee@home.example"
    train = Examples(
        [f"t{row}" for row in range(20)],
        ["hello"] * 20,
        [f"Write to {public}."] * 19 + [f"She is {mine}, 138 0013 8000."],
    )
    asked = ["who?", "and you?", "mail bob@x.example", "你好"]
    said = [f"It is {mine}.", f"Write to {public}.", "Of bob@x.example I know nothing.", "电话 13800138000。"]
    test = Examples(["a", "b", "c", "d"], asked, ["x"] * 4)
    found = run(talk(Says(said), train, test))
    assert [each.kind for each in found.findings] == ["leak", "leak", "personal_data"]
    leak = found.findings[0].fields
    assert (leak["row"], leak["train_rows"], leak["masked"][:2]) == ("a", ["t19"], "an") and mine not in str(found)
    assert found.findings[1].fields["what"] == "phone"
    assert found.figures["leaked"].value == 0.5 and found.figures["personal_data"].value == 0.75
