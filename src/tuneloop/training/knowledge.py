"""The knowledge of a run with the embedding model of its documents: found before training, kept in its model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.core.errors import ModelError, TuneloopError
from tuneloop.core.i18n import t
from tuneloop.inference.embedder import copy_embedder, identity_of
from tuneloop.knowledge.attach import ENCODER, Knowledge, keep_knowledge, load_knowledge
from tuneloop.knowledge.index import open_index
from tuneloop.models.source import resolve

if TYPE_CHECKING:
    from tuneloop.core.knowledge import KnowledgeConfig
    from tuneloop.core.paths import Workspace


def find_knowledge(
    config: KnowledgeConfig, *, base: Path, workspace: Workspace, model: Path | None = None
) -> Knowledge | None:
    """The knowledge that a configuration names, with the folder of the embedding model of its documents.

    Args:
        base: what relative files start from.
        workspace: where indexes and releases lie.
        model: the model folder that it is for; where this itself is the embedding model, there is nothing to copy.

    Raises:
        ConfigError: if rules are wrong, or the context needs what is not there.
        DataError: if a lexicon, graph or index cannot be read.
        MissingExtraError: if a package of the extra `knowledge` is not installed.
        ModelError: if the embedding model is not there, or is not the one that the index was made with.
    """
    knowledge = load_knowledge(config, base=base, indexes=workspace.knowledge)
    if knowledge is None or knowledge.documents is None:
        return knowledge
    with open_index(knowledge.documents) as index:
        source, identity = index.settings["source"], index.settings["encoder"]
    if not source or (model is not None and identity_of(model) == identity):
        return knowledge
    return replace(knowledge, encoder=_find_encoder(source, identity, base, workspace))


def keep_all(knowledge: Knowledge, folder: Path) -> None:
    """Write the knowledge into an empty folder, so that it answers without anything from elsewhere."""
    keep_knowledge(knowledge, folder)
    if knowledge.encoder is not None:
        copy_embedder(knowledge.encoder, folder / ENCODER)


def _find_encoder(source: str, identity: str, base: Path, workspace: Workspace) -> Path:
    """The folder of an embedding model: a release of the workspace, or any model source."""
    released = workspace.releases / source
    try:
        folder = released if (released / "tuneloop.json").is_file() else resolve(source, base=base)
    except TuneloopError as error:
        raise ModelError(
            t("The embedding model {source} of the documents is not there: {reason}", source=source,
              reason=error.problem),
            t("It travels with the documents: bring it back, or make the index anew with another model."),
        ) from error  # fmt: skip
    if identity_of(folder) != identity:
        raise ModelError(
            t("The embedding model {source} is not the one that the documents were indexed with.", source=source),
            t("Bring that one back, or make the index anew."),
        )
    return folder
