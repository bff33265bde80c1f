"""What runs read beside their snapshot, by its content: a result is found again only as long as that is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import TuneloopError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.paths import ID_PATTERN, Workspace
from tuneloop.knowledge.store import FILE
from tuneloop.models.shots import EXAMPLES
from tuneloop.models.source import deciding_hashes, resolve

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig

Known = dict[str, str]
"""Hashes that were found before, by what a setting says: for the runs of one comparison, which read the same."""


def hash_of_read(config: RunConfig, *, base: Path, workspace: Workspace, known: Known | None = None) -> str:
    """A hash of the pretrained model and of every file, model and index that settings of a run name.

    Args:
        base: the folder that relative paths start from.
        workspace: where names of releases, runs and indexes are looked up.
        known: what is kept for the next call.
    """
    known = {} if known is None else known
    sources = [config.model.source, config.fusion.image, config.fusion.audio]
    named = [config.method.options, config.data.augment.attack]
    if config.knowledge.context:
        named.append(config.knowledge.model_dump(mode="json"))
    found = {source: known.get(f"model {source}") or _of_model(source, base) for source in sources if source}
    known |= {f"model {source}": each for source, each in found.items()}
    for name in sorted(set(_strings(named))):
        if name not in known:
            known[name] = _of_name(name, base, workspace)
        if known[name]:
            found[f"named {name}"] = known[name]
    return hash_json(found)


def _strings(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict):
        yield from _strings(list(plain.values()))
    elif isinstance(plain, list | tuple):
        for each in plain:
            yield from _strings(each)


def _of_model(source: str, base: Path) -> str:
    try:
        return hash_json(deciding_hashes(resolve(source, base=base)))
    except (OSError, TuneloopError):  # the run itself says what is wrong
        return ""


def _of_name(name: str, base: Path, workspace: Workspace) -> str:
    """Of the file, model folder, release, run or index that a setting names; empty for `mean` and the like."""
    places = [base / name]
    if ID_PATTERN.match(name):
        places += [workspace.releases / name, workspace.runs / name / "model", workspace.knowledge / name / FILE]
    try:
        for place in places:
            if place.is_file():
                return hash_file(place)
            if (place / "tuneloop.json").is_file():
                return hash_json(deciding_hashes(place, EXAMPLES))
    except (OSError, ValueError):  # no name of a file
        pass
    return ""
