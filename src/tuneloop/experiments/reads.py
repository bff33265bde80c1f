"""What runs read beside their snapshot, by its content: a result is found again only as long as that is the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import TuneloopError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.paths import Workspace
from tuneloop.models.shots import EXAMPLES
from tuneloop.models.source import deciding_hashes, resolve

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig


def hash_of_read(config: RunConfig, *, base: Path, workspace: Workspace) -> str:
    """A hash of the model and of every file, model and index that settings of a run name.

    Args:
        base: the folder that relative paths start from.
        workspace: where names of releases, runs and indexes are looked up.
    """
    named = [config.method.options, config.data.augment.attack, config.fusion.model_dump(mode="json")]
    if config.knowledge.context:
        named.append(config.knowledge.model_dump(mode="json"))
    names = sorted({config.model.source, *_strings(named)})
    return hash_json({name: found for name in names if (found := _hash(name, base, workspace))})


def _strings(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict):
        yield from _strings(list(plain.values()))
    elif isinstance(plain, list | tuple):
        for each in plain:
            yield from _strings(each)


@cache  # the runs of a comparison read the same
def _hash(name: str, base: Path, workspace: Workspace) -> str:
    """Of the file or model that a setting names; empty where it names none, such as `mean`."""
    if not name.strip() or "\n" in name:
        return ""
    index = workspace.knowledge / name / "index.sqlite"
    places = [base / name, index, workspace.releases / name, workspace.runs / name / "model"]
    try:
        for place in places:
            if place.is_file():
                return hash_file(place)
            if found := deciding_hashes(place, EXAMPLES):
                return hash_json(found)
        return hash_json(deciding_hashes(resolve(name, base=base))) if ":" in name or "/" in name else ""
    except (OSError, TuneloopError):  # a name that is none, or a model that the run itself will miss
        return ""
