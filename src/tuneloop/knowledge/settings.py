"""How an index is made, which stays so for as long as there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.knowledge.vectors import Embedder

CHUNK_SIZE, OVERLAP = 800, 100


@dataclass(frozen=True)
class NewIndex:
    """Settings of an index that is made when there is none; those left out have a default.

    Args:
        size: letters of a chunk at most, a Chinese character counts as three; 800.
        overlap: letters that a chunk repeats of the one before; 100.
        source: where the embedding model comes from, kept so that the next one who opens the index finds it.
    """

    size: int | None = None
    overlap: int | None = None
    source: str = ""


def settings_of(new: NewIndex, embedder: Embedder | None) -> dict[str, str]:
    """The settings of a new index.

    Raises:
        ConfigError: if there can be no such chunks.
    """
    size = CHUNK_SIZE if new.size is None else new.size
    overlap = min(OVERLAP, size // 2) if new.overlap is None else new.overlap
    if size < 50 or not 0 <= overlap <= size // 2:
        raise ConfigError(
            t("Chunks of {size} letters with an overlap of {overlap} are not possible.", size=size, overlap=overlap),
            t("Take at least 50 letters, and an overlap of at most half of them."),
        )
    encoder = embedder.identity if embedder is not None else ""
    return {"size": str(size), "overlap": str(overlap), "encoder": encoder, "source": new.source}


def check_settings(kept: dict[str, str], new: NewIndex | None, embedder: Embedder | None, folder: Path) -> None:
    """Nothing, if an index that was made with the settings `kept` can be used as it was asked for.

    Raises:
        ConfigError: if not.
    """
    if embedder is not None and embedder.identity != kept["encoder"]:
        raise ConfigError(
            t("The index in {folder} was made with another embedding model: {source}.", folder=folder,
              source=kept["source"] or kept["encoder"] or t("none")),
            t("Open it with that model, or make a new index for the other one."),
        )  # fmt: skip
    if new is None:
        return
    for name in ("size", "overlap"):
        asked = getattr(new, name)
        if asked is not None and str(asked) != kept[name]:
            raise ConfigError(
                t("The index in {folder} was made with {name} {value}.", folder=folder, name=name, value=kept[name]),
                t("Leave the option out, or make a new index under another name."),
            )
