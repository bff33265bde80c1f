"""The model that answers, and its exchange for another without a gap."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from tuneloop.core.deployment import ReleaseConfig
from tuneloop.core.fusion import read_by
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Input
from tuneloop.inference.continuous import Draft, Limits
from tuneloop.inference.decoding import Decoding
from tuneloop.media.samples import sample
from tuneloop.releases.manifest import MANIFEST
from tuneloop.releases.read import Release, open_release

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle

WARM_UP_ROWS = (1, 16)
WARM_UP_TOKENS = 3
WARM_UP_TEXTS = ("a", "a text of a few words", "many words " * 100)


class Users:
    """How many use a model."""

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0


@dataclass(frozen=True, slots=True)
class Directed:
    """An input for the adapter of a release that is served beside the first one."""

    release: str
    item: Input


Addressed: TypeAlias = "Input | Directed"
"""What is judged by the loaded release, or by an adapter beside it; all of a request is for one of them."""


@dataclass(frozen=True, eq=False)
class ServedModel:
    """An open release, which is closed when the last that uses it lets go of it.

    Args:
        release: its id.
        engine: the engine that runs it.
        handle: what answers; closed by `close` if it can be.
        max_tokens: tokens the model reads of one text.
        batch_effect: largest change of a score through neighbours in a batch; None if it was not measured.
        max_batch_effect: the change that the release's configuration tolerates.
        documents: the index of documents that travels with it; None without one.
        manifest: SHA-256 of its manifest, which has those of all its files; empty outside a release.
        beside: further releases whose adapters are computed with it, by their ids; `handle` takes `Directed` inputs.
    """

    release: str
    engine: str
    handle: ModelHandle
    max_tokens: int = 512
    batch_effect: float | None = 0.0
    max_batch_effect: float = ReleaseConfig.model_fields["max_batch_effect"].default
    documents: Any = None
    manifest: str = ""
    beside: Mapping[str, ServedModel] = field(default_factory=dict)
    _users: Users = field(default_factory=Users, repr=False)

    @property
    def every(self) -> tuple[ServedModel, ...]:
        """Itself, and what answers beside it."""
        return (self, *self.beside.values())

    def of(self, item: Addressed) -> tuple[ServedModel, Input]:
        """Which of them an input is for, and the input."""
        return (self.beside[item.release], item.item) if isinstance(item, Directed) else (self, item)

    def named(self, release: str | None) -> ServedModel | None:
        """The one of them that is asked: itself where nobody is named, None where it is none of them."""
        return self if release in (None, self.release) else self.beside.get(release or "")

    def directed(self, inputs: Sequence[Input], release: str) -> list[Any]:
        """Inputs for one of them as `handle` takes them."""
        return list(inputs) if release == self.release else [Directed(release, each) for each in inputs]

    @property
    def takes_pairs(self) -> bool:
        """Whether it judges two texts together."""
        return self.handle.task.takes_pairs

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it reads: text alone, or several of `core.fusion.MODALITIES`."""
        return read_by(self.handle)

    @property
    def writes(self) -> bool:
        """Whether it answers with texts of its own."""
        return self.handle.task.generates

    @property
    def shares_steps(self) -> bool:
        """Whether it writes answers side by side, one token of each at a time; else whole answers, by `predict`."""
        return self.writes and self.handle.shareable  # type: ignore[attr-defined]

    @property
    def tells_vectors(self) -> bool:
        """Whether `predict_with_vectors` can be asked."""
        return not self.writes and bool(getattr(self.handle, "has_vectors", False))

    @property
    def flops(self) -> float:
        """Operations that the texts it has read needed; 0 where they are not counted."""
        return float(getattr(self.handle, "flops", 0.0))

    @property
    def is_steady(self) -> bool:
        """Whether an answer hangs on its neighbours in a batch no more than is tolerated; False if nobody knows."""
        return self.batch_effect is not None and self.batch_effect <= self.max_batch_effect

    def warnings(self) -> list[str]:
        """What a user of the answers should know, in the language in force."""
        if self.batch_effect is None:
            return [t("The engine {engine} was not checked when {release} was made.", **self._names)]
        if not self.is_steady:
            sentence = t(
                "With {engine}, a text's answer may depend on its neighbours in the batch: by up to {effect:.4f} "
                "for {release}, where {tolerance:.4f} is tolerated.",
                effect=self.batch_effect, tolerance=self.max_batch_effect, **self._names,
            )  # fmt: skip
            return [sentence]
        return []

    def warm_up(self) -> None:
        """Answer texts of several lengths and numbers, so that the first client does not wait for it."""
        if self.writes:
            self._warm_up_writer(self.handle)
            return
        for rows in WARM_UP_ROWS:
            for text in WARM_UP_TEXTS:
                texts = [sample(f"{number} {text}", self.modalities) for number in range(rows)]
                inputs: list[Input] = [(each, each) for each in texts] if self.takes_pairs else list(texts)
                self.handle.predict(inputs)

    def _warm_up_writer(self, writer: Any) -> None:
        """A few tokens of a few answers, which otherwise would take long."""
        if not self.shares_steps:
            writer.logits(WARM_UP_TEXTS)
            return
        batch = writer.side_by_side(Limits())
        for prompt in writer.prompts(WARM_UP_TEXTS)[0]:
            batch.add(Draft(prompt, Decoding(WARM_UP_TOKENS)))
        while batch.running or batch.waiting:
            batch.step()

    def take(self) -> None:
        """Keep it open until `drop` is called."""
        with self._users.lock:
            self._users.count += 1

    def drop(self) -> None:
        """Let go of it."""
        with self._users.lock:
            self._users.count -= 1
            last = self._users.count == 0
        if last:
            self.close()

    def close(self) -> None:
        """Let go of the model's memory."""
        closing = getattr(self.handle, "close", None)
        if closing is not None:
            closing()
        if self.documents is not None:
            self.documents.close()

    @property
    def _names(self) -> dict[str, Any]:
        return {"engine": self.engine, "release": self.release}


def open_model(release_id: str, *, workspace: Workspace, engine: str | None, max_batch_tokens: int) -> ServedModel:
    """The release, its files checked against their hashes, open and warm.

    Args:
        release_id: an id from the index.
        workspace: where it lies.
        engine: the engine to run it with; the one recorded in the release by default.
        max_batch_tokens: padded tokens in one forward pass at most.

    Raises:
        ReleaseError: if there is no such release or a file is damaged.
        ModelError: if it cannot be opened with this engine.
    """
    release = open_release(release_id, workspace)
    handle = release.predictor(engine)
    for part in getattr(handle, "parts", (handle,)):
        running = getattr(part, "engine", None)
        if running is not None and not handle.task.generates:
            running.max_batch_tokens = min(running.max_batch_tokens, max_batch_tokens)
    model = describe(release, engine or release.engine, handle, documents=_documents(release))
    model.warm_up()
    return model


def _documents(release: Release) -> Any:
    """The index of a release's documents, open for several threads; None without one."""
    if release.documents is None:
        return None
    from tuneloop.releases.knowledge import documents_of
    from tuneloop.serve.asking import LockedIndex

    return LockedIndex(documents_of(release))


def describe(release: Release, engine: str, handle: ModelHandle, *, documents: Any = None) -> ServedModel:
    """An open release as a server has it, by what release.json says of it."""
    found = release.info["forms"].get(engine)
    rules = ReleaseConfig.model_validate(release.info["config"]["release"])
    return ServedModel(
        release=release.id,
        engine=engine,
        handle=handle,
        max_tokens=int(release.info["config"]["model"]["max_tokens"]),
        batch_effect=None if found is None else float(found.get("batch_effect", 0.0)),
        max_batch_effect=rules.max_batch_effect,
        documents=documents,
        manifest=hash_file(release.path / MANIFEST),
    )


class Slot:
    """Holds the model that answers; one that was exchanged goes on with the batches that it has."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.current: ServedModel | None = None

    @contextmanager
    def borrow(self) -> Iterator[ServedModel]:
        """The current model, kept open until the block ends.

        Raises:
            RuntimeError: if there is none; nothing is queued before the first is loaded.
        """
        with self._lock:
            model = self.current
            if model is None:
                raise RuntimeError("no model is loaded")
            model.take()
        try:
            yield model
        finally:
            model.drop()

    def exchange(self, model: ServedModel | None) -> None:
        """Answer with `model` from the next batch on."""
        if model is not None:
            model.take()
        with self._lock:
            old, self.current = self.current, model
        if old is not None:
            old.drop()
