from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from tuneloop.core.errors import DataError
from tuneloop.labelling.store import FILE, Answer, Item, LabelStore, item_id


def made(folder: Path, texts: int = 3) -> LabelStore:
    store = LabelStore(folder, create="classification")
    store.keep([Item(item_id(f"text {n}"), f"text {n}", suggested=1.0) for n in range(texts)])
    return store


def labels(store: LabelStore) -> dict[tuple[str, str], object]:
    texts = store.items()
    return {(texts[each.item].text, each.annotator): each.label for each in store.answers()}


def test_the_last_answer_of_each_person_counts_and_undo_brings_the_one_before_back(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        first = item_id("text 0")
        store.answer(first, "ann", "good")
        store.answer(first, "bob", ["a", "b"])
        store.answer(first, "ann", "bad", seconds=1.5)
        assert labels(store) == {("text 0", "ann"): "bad", ("text 0", "bob"): ["a", "b"]}
        undone = store.undo("ann")
        assert undone is not None and (undone.label, undone.seconds) == ("bad", 1.5)
        assert labels(store)["text 0", "ann"] == "good"
        store.undo("ann")
        assert store.undo("ann") is None
        assert labels(store) == {("text 0", "bob"): ["a", "b"]}
        assert [undoes for _, undoes in store.history()] == [None, None, None, 3, 1]


def test_a_text_is_handed_to_one_person_only_and_to_more_where_more_are_asked_for(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        ids = list(store.items())
        for_ann = [item.id for item in store.hand("ann", ids, count=2, per_item=1)]
        assert for_ann == ids[:2]
        assert [item.id for item in store.hand("bob", ids, count=5, per_item=1)] == ids[2:]
        store.answer(ids[0], "ann", "x")
        store.answer(ids[1], "ann", None, skipped=True)
        assert [item.id for item in store.hand("bob", ids, count=5, per_item=1)] == ids[1:]  # skipped: still to do
        assert [item.id for item in store.hand("bob", ids, count=5, per_item=2)] == ids
        assert [item.id for item in store.hand("ann", ids, count=5, per_item=2)] == ids[2:]


def test_one_wrong_answer_of_many_keeps_none(tmp_path: Path) -> None:
    with made(tmp_path) as store:
        new = Item(item_id("new"), "new")
        with pytest.raises(ValueError):
            store.keep(
                [new], [Answer(0, new.id, "ann", "x", False, 1.0), Answer(0, new.id, "bob", float("nan"), False, 1)]
            )
        assert new.id not in store.items() and store.answers() == []


@pytest.mark.parametrize("damage", ["empty", "no database", "cut off", "overwritten"])
def test_a_damaged_file_is_refused_with_its_name_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    made(tmp_path, texts=500).close()
    path = tmp_path / FILE
    whole = path.read_bytes()
    broken = {
        "empty": b"",
        "no database": b"text,label\n" * 1000,
        "cut off": whole[: len(whole) // 2],
        "overwritten": whole[:8192] + b"\xff" * 20_000 + whole[28_192:],
    }[damage]
    path.write_bytes(broken)
    with pytest.raises(DataError, match=r"labels\.sqlite is damaged"):
        LabelStore(tmp_path, create="classification")
    assert path.read_bytes() == broken


def test_labels_of_another_task_are_not_mixed(tmp_path: Path) -> None:
    made(tmp_path).close()
    with pytest.raises(DataError, match="holds labels for the task classification, not tagging"):
        LabelStore(tmp_path, create="tagging")


def test_threads_and_stores_at_once_lose_no_answer(tmp_path: Path) -> None:
    made(tmp_path).close()
    first = item_id("text 0")

    def write(who: str, store: LabelStore) -> None:
        for _ in range(10):
            store.answer(first, who, "x")

    with LabelStore(tmp_path) as one, LabelStore(tmp_path) as other:
        threads = [threading.Thread(target=write, args=(f"p{n}", [one, other][n % 2])) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(one.history()) == 60 and len(other.answers()) == 6


def test_no_acknowledged_answer_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    """Two light processes write at once, one of them is killed at a random moment, 30 times."""
    made(tmp_path).close()
    chance, acknowledged, cut_short = random.Random(7), set[int](), 0
    for round_ in range(30):
        pipes = [os.pipe() for _ in range(2)]
        children = [_writer(tmp_path, pipe, f"r{round_}w{number}") for number, pipe in enumerate(pipes)]
        acknowledged.add(int.from_bytes(os.read(pipes[0][0], 8)))  # the first writer is at work
        time.sleep(chance.uniform(0, 0.02))
        os.kill(children[0], signal.SIGKILL)
        os.kill(children[1], signal.SIGKILL)
        for child, (out, into) in zip(children, pipes, strict=True):
            os.close(into)
            _, status = os.waitpid(child, 0)
            cut_short += os.WIFSIGNALED(status)
            with os.fdopen(out, "rb") as told:
                data = told.read()
            acknowledged |= {int.from_bytes(data[at : at + 8]) for at in range(0, len(data) - 7, 8)}
    with LabelStore(tmp_path) as store:  # which checks the whole file
        kept = {answer.number for answer, _ in store.history()}
    assert cut_short == 60 and len(acknowledged) >= 30
    assert acknowledged <= kept


def _writer(folder: Path, pipe: tuple[int, int], who: str) -> int:
    """A process that writes answers for ever, and tells the number of each when it is acknowledged."""
    child = os.fork()
    if child:
        return child
    try:
        with LabelStore(folder) as store:
            while True:
                os.write(pipe[1], store.answer(item_id("text 0"), who, "x" * 200).to_bytes(8))
    finally:
        os._exit(1)
