"""The part of the Python door that tells where a release comes from and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api.releasing import DEFAULT_WORKSPACE, project_here
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.loop.origin import Origin


def origin(name: str, *, store: str | None = None, workspace: Path = DEFAULT_WORKSPACE) -> Origin:
    """Files, data, runs, releases, deployments, served answers and feedback of a release, as a graph.

    Args:
        name: a release; a model's name means its newest.
        store: where served answers are; what ./tuneloop.yaml says by default, else the file in the workspace.
        workspace: where names are looked up.

    Raises:
        ReleaseError: if there is no such release.
        StorageError: if the store cannot be read.
    """
    from tuneloop.core.config import parse_options
    from tuneloop.core.watching import WatchConfig
    from tuneloop.loop.origin import origin as graph
    from tuneloop.releases.index import newest
    from tuneloop.releases.read import open_release
    from tuneloop.watch.store import open_store

    place = Workspace(Path(workspace))
    if store is None:
        project = project_here(place)
        store = "" if project is None else project.config.watch.store
    found = open_release(newest(name, place), place, verify=False)
    if not store and not place.database and not place.events.is_file():
        return graph(found, place)
    config = parse_options(WatchConfig, {"store": store}, where="watch")
    return graph(found, place, store=lambda: open_store(config, place))
