"""An index is added to, searched and copied; it holds whole documents whatever happens."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.lock import locked
from tuneloop.knowledge import NewIndex, open_index
from tuneloop.knowledge.fusion import fused
from tuneloop.knowledge.index import Index
from tuneloop.knowledge.vectors import pack, products

Opened = Callable[..., Index]


def sound(index: Index) -> None:
    """Every chunk has its words, and no words are left of a chunk that is gone; FTS5 finds nothing amiss."""
    with sqlite3.connect(index.folder / "index.sqlite") as database:
        chunks = {row[0] for row in database.execute("SELECT id FROM chunks")}
        owned = {row[0] for row in database.execute("SELECT chunks.id FROM chunks JOIN documents d ON d.id = document")}
        assert chunks == owned == {row[0] for row in database.execute("SELECT rowid FROM terms")}
        database.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def names(index: Index, question: str, **options: object) -> list[str]:
    return [hit.passage.section for hit in index.search(question, **options)]


@pytest.mark.parametrize("mode", ["hybrid", "bm25", "vector"])
def test_each_mode_finds_the_section_in_english_and_chinese(opened: Opened, folder: Path, mode: str) -> None:
    index = opened()
    index.add([folder], base=folder.parent, quiet=True)
    assert names(index, "How many days of leave does an employee have?", mode=mode)[0] == "Handbook > Leave"
    assert names(index, "发票要在多少天内提交？", mode=mode)[0] == "Handbook > 报销"
    hit = index.search("Which travel desk books trains?", k=1, mode=mode)[0].passage
    assert index.text(hit.document)[hit.start : hit.end] == hit.text
    sound(index)


def test_only_what_has_changed_is_read_again(opened: Opened, folder: Path, embedder: object) -> None:
    index = opened()
    assert index.add([folder], base=folder.parent, quiet=True).added == ["docs/handbook.md", "docs/notes.txt"]
    asked = embedder.asked
    assert index.add([folder], base=folder.parent, quiet=True).unchanged == ["docs/handbook.md", "docs/notes.txt"]
    assert embedder.asked == asked
    (folder / "notes.txt").write_text("The coffee machine is new.")
    done = index.add([folder], base=folder.parent, quiet=True)
    assert (done.changed, done.unchanged) == (["docs/notes.txt"], ["docs/handbook.md"])
    assert "coffee" in index.search("coffee", k=1)[0].passage.text
    assert index.search("printer", mode="bm25") == []
    sound(index)


def test_a_document_that_is_gone_is_told_of_and_removed_only_when_asked(opened: Opened, folder: Path) -> None:
    index = opened()
    index.add([folder], base=folder.parent, quiet=True)
    (folder / "notes.txt").unlink()
    assert index.add([folder], base=folder.parent, quiet=True).vanished == ["docs/notes.txt"]
    assert index.search("printer", mode="bm25")
    assert index.add([folder], base=folder.parent, prune=True, quiet=True).vanished == ["docs/notes.txt"]
    assert index.search("printer", mode="bm25") == []
    assert [entry.name for entry in index.documents()] == ["docs/handbook.md"]
    sound(index)


def test_pruning_keeps_what_cannot_be_read_and_what_lies_elsewhere(opened: Opened, folder: Path) -> None:
    index = opened()
    elsewhere = folder.parent / "docs-of-others"
    elsewhere.mkdir()
    for name in ("gone.txt", "broken.txt"):
        (folder / name).write_text("The coffee machine is new.")
    (elsewhere / "moved.txt").write_text("The lift is old.")
    index.add([folder, elsewhere], base=folder.parent, quiet=True)
    (folder / "gone.txt").unlink()
    (elsewhere / "moved.txt").unlink()
    (folder / "broken.txt").write_bytes(b"\x00")
    done = index.add([folder], base=folder.parent, prune=True, quiet=True)
    assert done.vanished == ["docs/gone.txt"] and list(done.failed) == ["docs/broken.txt"]
    assert [entry.name for entry in index.documents()] == [
        "docs-of-others/moved.txt", "docs/broken.txt", "docs/handbook.md", "docs/notes.txt",
    ]  # fmt: skip


def test_a_removed_document_is_found_in_no_mode(opened: Opened, folder: Path) -> None:
    index = opened()
    index.add([folder], base=folder.parent, quiet=True)
    with pytest.raises(DataError, match=r"no document other.txt"):
        index.remove(["docs/notes.txt", "other.txt"])
    assert index.remove(["docs/notes.txt"]) == ["docs/notes.txt"]
    for mode in ("hybrid", "bm25", "vector"):
        assert "docs/notes.txt" not in {hit.passage.document for hit in index.search("printer", k=50, mode=mode)}
    assert index.remove(["docs/"]) == ["docs/handbook.md"]
    assert index.search("leave", mode="hybrid") == []
    sound(index)


def test_a_bad_file_stops_no_other_and_leaves_its_old_content(opened: Opened, folder: Path) -> None:
    index = opened()
    index.add([folder], base=folder.parent, quiet=True)
    (folder / "notes.txt").write_bytes(b"\x00\x01")
    (folder / "a.pdf").write_bytes(b"%PDF-1.7 nonsense")
    (folder / "z.txt").write_text("The last one.")
    done = index.add([folder], base=folder.parent, quiet=True)
    assert set(done.failed) == {"docs/notes.txt", "docs/a.pdf"} and done.added == ["docs/z.txt"]
    assert index.search("printer", k=1)[0].passage.document == "docs/notes.txt"


def test_an_index_is_refused_with_another_model_or_other_settings(
    opened: Opened, folder: Path, embedder: object
) -> None:
    opened(new=NewIndex(size=200, source="a-model")).close()
    with pytest.raises(ConfigError, match="another embedding model: a-model"):
        opened(type(embedder)("other"))
    with pytest.raises(ConfigError, match="was made with size 200"):
        opened(new=NewIndex(size=300))
    without = opened(None, new=None)
    assert without.search("anything") == []
    with pytest.raises(ConfigError, match="without its embedding model"):
        without.search("anything", mode="vector")
    with pytest.raises(ConfigError, match="a-model"):
        without.add([folder], quiet=True)


def test_an_index_without_a_model_is_searched_by_words(opened: Opened, folder: Path) -> None:
    index = opened(None)
    index.add([folder], base=folder.parent, quiet=True)
    assert names(index, "days of leave")[0] == "Handbook > Leave"
    with pytest.raises(ConfigError, match="no vectors"):
        index.search("days of leave", mode="hybrid")


def test_two_writers_take_turns(opened: Opened, folder: Path) -> None:
    index = opened()
    with locked(index.folder), pytest.raises(DataError, match="Another process"):
        index.add([folder], base=folder.parent, quiet=True)


def test_another_reader_sees_what_was_added_and_removed_meanwhile(
    opened: Opened, folder: Path, embedder: object
) -> None:
    writer = opened()
    reader = open_index(writer.folder, embedder, read_only=True)
    assert reader.search("printer") == []
    writer.add([folder], base=folder.parent, quiet=True)
    assert reader.search("printer", k=1)[0].passage.document == "docs/notes.txt"
    writer.remove(["docs/notes.txt"])
    assert "docs/notes.txt" not in {hit.passage.document for hit in reader.search("printer", k=50)}
    with pytest.raises(ConfigError, match="only for reading"):
        reader.remove(["docs"])
    reader.close()


def test_a_copy_answers_alike_from_a_folder_that_cannot_be_written_to(
    opened: Opened, folder: Path, tmp_path: Path
) -> None:
    index = opened()
    index.add([folder], base=folder.parent, quiet=True)
    copy = index.copy_to(tmp_path / "release" / "knowledge")
    assert [path.name for path in copy.iterdir()] == ["index.sqlite"]
    copy.chmod(0o555)
    with open_index(copy, index.embedder, read_only=True) as opened_copy:
        assert opened_copy.search("printer") == index.search("printer")
    copy.chmod(0o755)


def test_a_damaged_file_is_named(opened: Opened) -> None:
    folder = opened().folder
    (folder / "index.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(DataError, match=r"index\.sqlite is damaged"):
        open_index(folder)
    with pytest.raises(DataError, match="no index"):
        open_index(folder / "nowhere")


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import HashedWords
from tuneloop.knowledge import NewIndex, open_index

steps = 0

class Counting:
    def __init__(self, database): self.database = database
    def __getattr__(self, name): return getattr(self.database, name)
    def execute(self, *given):
        global steps
        steps += 1
        if steps == {stop}:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.database.execute(*given)

index = open_index(Path({index!r}), HashedWords(), new=NewIndex(size=60, overlap=0))
index._store._database = Counting(index._store._database)
index.add([Path({docs!r})], base=Path({docs!r}).parent, quiet=True)
"""


@pytest.mark.parametrize("stop", [9, 17, 25, 33])
def test_a_kill_leaves_whole_documents_and_the_same_call_goes_on(
    opened: Opened, folder: Path, tmp_path: Path, stop: int
) -> None:
    program = KILLED.format(here=str(Path(__file__).parent), stop=stop, index=str(tmp_path / "index"), docs=str(folder))
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    index = opened(new=None)
    for entry in index.documents():
        assert entry.characters == len(index.text(entry.name)) and entry.chunks > 1
    sound(index)
    done = index.add([folder], base=folder.parent, quiet=True)
    assert len(done.added) + len(done.unchanged) == 2
    assert index.search("printer", k=1)[0].passage.document == "docs/notes.txt"
    sound(index)


def test_vectors_of_bytes_order_passages_as_floats_do() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(500, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = products(pack(vectors), vectors[7])
    assert np.abs(found - vectors @ vectors[7]).max() < 0.01
    assert found.argmax() == 7


def test_fusion_adds_words_over_their_most_and_meaning_as_far_as_it_is_understood() -> None:
    scores = {1: 4.0, 2: 2.0}, {1: 0.0, 2: 1.0, 3: -1.0}
    assert fused(*scores, most=8.0, known=1.0, asked=2, even_words=2.0) == {1: 0.25, 2: 0.625, 3: -0.5}
    assert fused(*scores, most=8.0, known=0.0, asked=2, even_words=2.0) == {1: 0.25, 2: 0.125, 3: 0.0}
    assert fused(*scores, most=8.0, known=1.0, asked=6, even_words=2.0) == {1: 0.375, 2: 0.4375, 3: -0.25}


def test_no_chunk_scores_more_than_the_most(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        "".join(f'{{"text": "{text}"}}\n' for text in ["rare " * 200, "rare bird", *["other words here"] * 8])
    )
    index = opened(None)
    index.add(["a.jsonl"], base=tmp_path, quiet=True)
    most = index._store.most_bm25(["rar", "bird"])
    assert 0.5 * most < index.search("rare bird")[0].bm25 < most
