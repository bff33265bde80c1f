"""An index of documents in a folder: added to, searched by words and by meaning, copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import numpy as np

from tuneloop.core.errors import ConfigError, DataError, TuneloopError
from tuneloop.core.fsio import new_dir, storage_errors
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.lock import locked
from tuneloop.core.progress import progress
from tuneloop.knowledge.chunks import chunks
from tuneloop.knowledge.documents import Document, find_files, read_document
from tuneloop.knowledge.fusion import EVEN_WORDS, fused
from tuneloop.knowledge.settings import NewIndex, check_settings, settings_of
from tuneloop.knowledge.store import FILE, Entry, Indexed, Passage, Store
from tuneloop.knowledge.support import Weight, rarity
from tuneloop.knowledge.vectors import Embedder, FloatArray, Packed, pack, products
from tuneloop.knowledge.words import content_words, words

Mode = Literal["hybrid", "bm25", "vector"]
MODES: tuple[Mode, ...] = ("hybrid", "bm25", "vector")

CANDIDATES = 1000
"""Chunks that BM25 gives a score; it is 0 for all others."""

PORTION = 128
"""Chunks that are embedded at once, between two signs of progress."""


class Hit(NamedTuple):
    """A chunk that was found.

    Args:
        passage: the chunk and where it stands.
        score: by which it was ranked.
        bm25: its score by words, 0 if it has none of them.
        cosine: how near it is by meaning; None where the index has no vectors, or they were not asked.
    """

    passage: Passage
    score: float
    bm25: float
    cosine: float | None


@dataclass
class Added:
    """What `Index.add` did, by the names of the documents.

    Args:
        failed: documents that could not be read, and why.
        vanished: documents of the added folders whose file is no longer there; removed if `prune` was set.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    pruned: bool = False


class Index:
    """An index in a folder; use `open_index`."""

    def __init__(self, folder: Path, store: Store, embedder: Embedder | None, *, read_only: bool) -> None:
        self.folder, self.embedder, self.read_only = folder, embedder, read_only
        self._store = store
        self._vectors: tuple[Any, np.ndarray[Any, np.dtype[np.int64]], Packed] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """How it was made: size, overlap, encoder (identity of the embedding model, empty without), source."""
        return dict(self._store.settings)

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def add(
        self, sources: Sequence[str | Path], *, base: Path | None = None, prune: bool = False, quiet: bool = False
    ) -> Added:
        """Take in files, folders and patterns; what has not changed since is not read again.

        Each document is committed by itself: after an interruption the same call goes on. A file that cannot be read
        is no reason to stop; it is listed, and what the index holds of it stays.

        Args:
            base: the folder that documents are named from; the current one by default.
            prune: remove the documents of these folders whose file is no longer there.

        Raises:
            DataError: if there is nothing to add, or another process is at this index.
            ConfigError: if the index was opened without its embedding model, or only for reading.
        """
        self._check_writable(embeds=True)
        base = Path(base or Path.cwd()).resolve()
        files = {_name(path, base): path for path in find_files(sources, base=base)}
        done = Added(pruned=prune)
        with self._alone(), progress(t("Adding documents"), len(files), quiet=quiet) as bar:
            known = {entry.name: entry.hash for entry in self.documents()}
            for number, (name, path) in enumerate(files.items(), 1):
                self._add(name, path, known.get(name), done, partial(bar.update, number - 1))
                bar.update(number, name)
            folders = [
                _name(path, base) for path in (base / Path(each).expanduser() for each in sources) if path.is_dir()
            ]
            gone = (name for name in known if name not in files and not (base / name).exists())
            done.vanished = [name for name in gone if _is_below(name, folders)]
            if prune:
                self._store.delete(done.vanished)
        return done

    def remove(self, names: Sequence[str]) -> list[str]:
        """Remove documents, or all documents below a folder's name; gives the names of those that were removed.

        Raises:
            DataError: if there is no such document; nothing is removed then.
        """
        self._check_writable(embeds=False)
        known = [entry.name for entry in self.documents()]
        removed: dict[str, None] = {}
        for name in names:
            wanted = name.rstrip("/") or name
            found = [each for each in known if each == name or each.startswith(f"{wanted}/")]
            if not found:
                raise DataError(t("The index has no document {name}.", name=name), t("See: tuneloop knowledge list"))
            removed |= dict.fromkeys(found)
        with self._alone():
            self._store.delete(list(removed))
        return list(removed)

    def documents(self) -> list[Entry]:
        """Every document, by name."""
        return self._store.documents()

    def text(self, name: str) -> str:
        """The whole text of a document, whose characters citations count.

        Raises:
            DataError: if there is none of this name.
        """
        return self._store.text(name)

    def search(
        self, question: str, *, k: int = 5, mode: Mode | None = None, even_words: float = EVEN_WORDS
    ) -> list[Hit]:
        """The chunks that have most to do with a question, the best first.

        Args:
            k: how many at most.
            mode: bm25 by words, vector by meaning, hybrid by both; hybrid by default where the index has vectors.
            even_words: words of a question at which words and meaning count alike in hybrid.

        Raises:
            ConfigError: if the mode needs vectors and there are none, or the model that makes them was not given.
        """
        mode = mode or ("hybrid" if self.embedder is not None else "bm25")
        if mode not in MODES or k < 1:
            raise ConfigError(
                t("Search for at least one passage in one of the modes {known}.", known=", ".join(MODES)),
                t("Choose another mode or number."),
            )
        asked = _asked(question)
        lexical = dict(self._store.bm25(asked, limit=CANDIDATES)) if mode != "vector" else {}
        cosines: dict[int, float] = {}
        if mode == "bm25":
            scores = lexical
        else:
            ids, near = self._cosines(question)
            cosines = dict(zip(ids.tolist(), near.tolist(), strict=True))
            scores = cosines
        if mode == "hybrid":
            known, most = self.known(question), self._store.most_bm25(asked)
            scores = fused(lexical, cosines, most=most, known=known, asked=len(asked), even_words=even_words)
        best = sorted(scores, key=lambda number: (-scores[number], number))[:k]
        passages = self._store.passages(best)
        return [
            Hit(passages[number], scores[number], lexical.get(number, 0.0), cosines.get(number))
            for number in best
            if number in passages
        ]

    def known(self, text: str) -> float:
        """The share of a text's tokens that the embedding model knows; 0 without a model."""
        return self.embedder.known(text) if self.embedder is not None else 0.0

    def weight(self, text: str) -> Weight:
        """What each word of a text counts here: rare ones more."""
        return rarity(self._store.frequencies(content_words(text)), self._store.count())

    def copy_to(self, folder: Path) -> Path:
        """A copy of the whole index in a folder that does not exist yet, in one step.

        Raises:
            StorageError: if the folder exists, or the disk refuses.
        """
        with new_dir(Path(folder)) as staging:
            self._store.copy(staging / FILE)
        return Path(folder)

    def _add(self, name: str, path: Path, known: str | None, done: Added, tell: Callable[[str], None]) -> None:
        try:
            digest = hash_file(path)
            if digest == known:
                done.unchanged.append(name)
                return
            document = read_document(path)
        except OSError as error:
            done.failed[name] = t("{path} cannot be read: {error}", path=path, error=error.strerror or error)
            return
        except DataError as error:
            done.failed[name] = str(error)
            return
        self._store.put(
            name, hash=digest, title=document.title, text=document.text, chunks=self._indexed(document, name, tell)
        )
        (done.changed if known else done.added).append(name)

    def _indexed(self, document: Document, name: str, tell: Callable[[str], None]) -> list[Indexed]:
        size, overlap = int(self.settings["size"]), int(self.settings["overlap"])
        found = list(chunks(document, size=size, overlap=overlap))
        texts = [_with_heading(document.title, each.section, document.text[each.start : each.end]) for each in found]
        kept: list[Indexed] = []
        for start in range(0, len(texts), PORTION):
            part, places = texts[start : start + PORTION], found[start : start + PORTION]
            packed = pack(self.embedder(part)) if self.embedder is not None else None
            for row, (place, text) in enumerate(zip(places, part, strict=True)):
                vector = None if packed is None else packed.values[row]
                scale = None if packed is None else float(packed.scales[row])
                kept.append(Indexed(place, words(text), vector, scale))
            tell(f"{name} {len(kept)}/{len(texts)}")
        return kept

    def _cosines(self, question: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], FloatArray]:
        """The ids of all chunks and how near each is to the question."""
        if self.embedder is None:
            raise self._without_model()
        vector = self.embedder([question])[0]
        version = self._store.version()
        if self._vectors is None or self._vectors[0] != version:
            self._vectors = version, *self._store.vectors(len(vector))
        _, ids, packed = self._vectors
        return ids, products(packed, vector)

    def _check_writable(self, *, embeds: bool) -> None:
        if self.read_only:
            raise ConfigError(t("The index in {folder} is open only for reading.", folder=self.folder))
        if embeds and self.settings["encoder"] and self.embedder is None:
            raise self._without_model()

    def _without_model(self) -> TuneloopError:
        if not self.settings["encoder"]:
            return ConfigError(
                t("The index in {folder} has no vectors.", folder=self.folder),
                t("Search it with mode bm25, or make a new one with an embedding model."),
            )
        return ConfigError(
            t("The index in {folder} was opened without its embedding model.", folder=self.folder),
            t("Open it with the model {source}.", source=self.settings["source"] or self.settings["encoder"]),
        )

    def _alone(self) -> Any:
        busy = DataError(
            t("Another process is writing to the index in {folder}.", folder=self.folder),
            t("Wait until it has finished, then run the same command again."),
        )
        return locked(self.folder, busy=busy)


def open_index(
    folder: str | Path, embedder: Embedder | None = None, *, new: NewIndex | None = None, read_only: bool = False
) -> Index:
    """The index in a folder.

    Args:
        embedder: the embedding model that the index was made with; without one it is searched by words alone.
        new: make the index if there is none; the settings of one that is there must be the same where they are given.
        read_only: refuse to write; nothing in the folder is touched.

    Raises:
        DataError: if there is no index and `new` is not set, or it is damaged.
        ConfigError: if it was made with another embedding model or other settings.
    """
    folder = Path(folder)
    create = None
    if new is not None and not read_only:
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        create = settings_of(new, embedder)
    store = Store(folder, create=create, read_only=read_only)
    try:
        check_settings(store.settings, new, embedder, folder)
    except BaseException:
        store.close()
        raise
    return Index(folder, store, embedder, read_only=read_only)


def _asked(question: str) -> list[str]:
    """The words to look for; those that say nothing only cost time."""
    return content_words(question)[:64]


def _with_heading(title: str, section: str, text: str) -> str:
    """A chunk as it is searched: its headings say what it is about."""
    return "\n".join(filter(None, [title, section, text]))


def _name(path: Path, base: Path) -> str:
    """A file as the index names it: from `base` where it lies below it."""
    absolute = (base / path).resolve()
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.as_posix()


def _is_below(name: str, folders: Sequence[str]) -> bool:
    return any(name.startswith(f"{folder}/") or (folder == "." and not Path(name).is_absolute()) for folder in folders)
