"""Opening a release: its row, its files, its answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.fusion import read_by
from tuneloop.core.paths import Workspace
from tuneloop.media.rows import input_of
from tuneloop.releases.index import find
from tuneloop.releases.manifest import verify as verify_files

if TYPE_CHECKING:
    from tuneloop.inference.embedder import SentenceEmbedder
    from tuneloop.knowledge.answers import Answer


@dataclass(frozen=True)
class Release:
    """A release on disk; `info` is its release.json."""

    id: str
    path: Path
    info: dict[str, Any]

    @property
    def engine(self) -> str:
        """The engine that was fastest among those that passed."""
        return str(self.info["engine"])

    @property
    def evaluation(self) -> dict[str, Any]:
        """Its evaluation.json."""
        return dict(json.loads((self.path / "evaluation.json").read_text(encoding="utf-8")))

    def predictor(self, engine: str | None = None) -> Any:
        """An open `Predictor` with `engine`, or the release's own."""
        from tuneloop.inference.predictor import open_predictor
        from tuneloop.models.flops import from_json

        opened = open_predictor(self.path, engine=engine or self.engine)
        opened.cost = from_json(self.info.get("flops"))
        return opened

    def embedder(self) -> SentenceEmbedder:
        """Texts to vectors of length 1, of a release that was tuned for retrieval or similarity.

        Raises:
            ConfigError: if it was tuned for a task that has no vectors.
        """
        from tuneloop.inference.embedder import open_embedder

        return open_embedder(self.path, engine=self.engine)

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        """One prediction per input; opens and closes the model.

        A prompt of a model that writes is a text that one user says, or a list of messages with `role` and `content`.
        What a model of several modalities judges is a mapping with some of `text`, `image` and `audio` (a path, or
        bytes) and `tabular`; of one that finds other modalities by a text, a tuple of both.
        """
        predictor = self.predictor()
        try:
            if predictor.task.generates:
                inputs = [predictor.task.parse_input(each, None)[0] for each in inputs]
            return list(predictor.predict([input_of(each, read_by(predictor)) for each in inputs]))
        finally:
            predictor.close()

    @property
    def documents(self) -> Path | None:
        """The folder of the index of documents that travels with it; None without one."""
        from tuneloop.knowledge.attach import DOCUMENTS, FOLDER

        folder = self.path / FOLDER / DOCUMENTS
        return folder if folder.is_dir() else None

    def ask(self, question: str) -> Answer:
        """What its documents say to a question, with citations: in its own words if it writes, else in quotations.

        Opens and closes the index and the models.

        Raises:
            ReleaseError: if no documents travel with it.
            ModelError: if the embedding model of the index is not there.
        """
        from tuneloop.knowledge.answers import ask
        from tuneloop.releases.knowledge import by_rules, documents_of, writing_of

        with documents_of(self) as index, closing(self.predictor()) as predictor:
            return by_rules(ask(question, index, writer=writing_of(predictor)), predictor)


def open_release(release_id: str, workspace: Workspace, *, verify: bool = True) -> Release:
    """The release with this id, every file checked against its hash.

    It is fetched first where it is not in a workspace that is a copy of an object store.

    Raises:
        ReleaseError: if it does not exist or a file is damaged.
    """
    path = workspace.releases / find(release_id, workspace).id
    if not path.exists() and workspace.remote:
        from tuneloop.releases.remote import fetch_release

        fetch_release(release_id, workspace)
    if verify:
        verify_files(path)
    return Release(release_id, path, json.loads((path / "release.json").read_text(encoding="utf-8")))
