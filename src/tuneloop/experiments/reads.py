"""What runs read beside their snapshot, by its content: a result is found again only as long as that is the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import TuneloopError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.paths import ID_PATTERN, Workspace
from tuneloop.knowledge.store import FILE
from tuneloop.models.shots import EXAMPLES
from tuneloop.models.source import deciding_hashes, resolve
from tuneloop.training.sources import finished_model

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig

Known = dict[str, str]
"""Hashes that were found before, by what settings say: for the runs of one comparison, which read the same."""


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
    wanted = {f"model {each}": partial(_of_model, each, base) for each in sources if each}
    wanted |= {f"named {each}": partial(_of_name, each, base, workspace) for each in _strings(named)}
    for key in wanted.keys() - known.keys():
        known[key] = wanted[key]()
    return hash_json({key: known[key] for key in wanted if known[key]})


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
    try:
        if (base / name).is_file():
            return hash_file(base / name)
        if folder := finished_model(name, base=base, workspace=workspace):
            return hash_json(deciding_hashes(folder, EXAMPLES))
        if ID_PATTERN.match(name) and (index := workspace.knowledge / name / FILE).is_file():
            return hash_file(index)
    except (OSError, ValueError):  # no name of a file
        pass
    return ""
