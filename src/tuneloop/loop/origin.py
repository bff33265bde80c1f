"""Where a release comes from and what became of it, as a graph: files, data, runs, releases, deployments, feedback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from tuneloop.core.errors import ReleaseError
from tuneloop.core.paths import Workspace
from tuneloop.data.snapshot_folder import snapshot_folder
from tuneloop.loop.update import DECISION
from tuneloop.releases.deployment import history
from tuneloop.releases.index import model_of, rows
from tuneloop.releases.lineage import lineage_of
from tuneloop.releases.read import Release, open_release
from tuneloop.watch.store import Wanted

if TYPE_CHECKING:
    from tuneloop.watch.store import EventStore

Kind = Literal["file", "data", "run", "update", "release", "deployment", "events", "feedback"]
STAGES: dict[Kind, int] = {
    "file": 0, "data": 1, "run": 2, "update": 2, "release": 3, "deployment": 4, "events": 4, "feedback": 5,
}  # fmt: skip
MOST_CHANGES = 20
"""Changes of the deployment that are told, the newest."""

MOST_COUNTED = 1000
"""Events, and feedback, that are counted; of more it is only known that they are more."""


@dataclass(frozen=True)
class Node:
    """One thing of a release's life.

    Args:
        kind: what it is.
        name: its id, or the name of a file.
        facts: what is known of it, plain JSON.
        there: whether it is still in the workspace.
    """

    kind: Kind
    name: str
    facts: Mapping[str, Any]
    there: bool = True

    @property
    def id(self) -> str:
        """Unique in its graph, where files of several contents may have the same name."""
        return f"{self.kind} {self.name} {str(self.facts.get('sha256', ''))[:12]}".rstrip()


@dataclass(frozen=True)
class Origin:
    """A release among what it came from and what came of it.

    Args:
        nodes: from the files to the feedback.
        edges: ids of two nodes each: the first led to the second.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]


class _Graph:
    """Nodes and edges as they are found; a node is kept once."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], None] = {}

    def add(self, node: Node, *before: Node) -> Node:
        self.nodes.setdefault(node.id, node)
        for each in before:
            self.edges[each.id, node.id] = None
        return node

    def whole(self) -> Origin:
        nodes = sorted(self.nodes.values(), key=lambda node: STAGES[node.kind])
        return Origin(tuple(nodes), tuple(self.edges))


def origin(release: Release, workspace: Workspace, *, store: Callable[[], EventStore] | None = None) -> Origin:
    """The graph of a release: of the releases that it went on from too, and of those that went on from it.

    Args:
        store: opens where its served answers and what was said of them are kept; None where nothing is.
    """
    graph = _Graph()
    made = _made(release, graph, workspace, seen=set())
    for row in rows(workspace):
        if model_of(row.id) == model_of(release.id) and row.id != release.id:
            with suppress(ReleaseError, OSError, ValueError):
                other = open_release(row.id, workspace, verify=False)
                if lineage_of(other.info).get("went_on_from", {}).get("model") == release.id:
                    graph.add(_node(other), made)
    changes = [change for change in history(model_of(release.id), workspace) if change.release == release.id]
    for change in changes[-MOST_CHANGES:]:
        facts = {"kind": change.kind, "at": change.at, "who": change.who, "why": change.why}
        graph.add(Node("deployment", str(change.number), facts), made)
    if store is not None:
        _served(release.id, made, graph, store)
    return graph.whole()


def decision_of(release_id: str, workspace: Workspace) -> tuple[str, dict[str, Any]] | None:
    """Name and decision.json of the update that made a release; None if none did."""
    for path in sorted(workspace.updates.glob(f"{model_of(release_id)}-*/{DECISION}"), reverse=True):
        with suppress(ValueError, OSError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict) and found.get("release") == release_id:
                return path.parent.name, found
    return None


def _made(release: Release, graph: _Graph, workspace: Workspace, *, seen: set[str]) -> Node:
    """The release with all that led to it."""
    seen.add(release.id)
    known = lineage_of(release.info)
    run = _run(str(known["run"]), graph, workspace)
    data = _data(known["data"], graph, workspace)
    graph.edges[data.id, run.id] = None
    before = str(known.get("went_on_from", {}).get("model", ""))
    if before and before not in seen:
        with suppress(ReleaseError, OSError, ValueError):
            earlier = open_release(before, workspace, verify=False)
            graph.edges[_made(earlier, graph, workspace, seen=seen).id, run.id] = None
    made = graph.add(_node(release), run)
    found = decision_of(release.id, workspace)
    if found is not None:
        graph.add(made, graph.add(Node("update", found[0], {"verdict": found[1].get("verdict", "")}), run))
    return made


def _node(release: Release) -> Node:
    return Node("release", release.id, {"created": release.info["created"], "engine": release.engine})


def _run(name: str, graph: _Graph, workspace: Workspace) -> Node:
    return graph.add(Node("run", name, {}, (workspace.runs / name / "run.json").is_file()))


def _data(known: Mapping[str, Any], graph: _Graph, workspace: Workspace) -> Node:
    folder = snapshot_folder(str(known["hash"]), workspace)
    name = str(known["hash"])[:12] if folder is None else folder.name
    data = Node("data", name, {"hash": known["hash"]}, folder is not None)
    for split, source in known.get("sources", {}).items():
        facts = {"split": split, "rows": source.get("rows"), "sha256": source.get("sha256", "")}
        graph.add(data, graph.add(Node("file", str(source.get("file", split)), facts)))
    return graph.add(data)


def _served(release_id: str, made: Node, graph: _Graph, store: Callable[[], EventStore]) -> None:
    wanted = Wanted(release=release_id, limit=MOST_COUNTED + 1)
    opened = store()
    try:
        events = sum(1 for _ in islice(opened.events(wanted), MOST_COUNTED + 1))
        said = sum(1 for _ in islice(opened.feedback(wanted), MOST_COUNTED + 1))
    finally:
        opened.close()
    if events:
        answers = graph.add(Node("events", release_id, _counted(events)), made)
        if said:
            graph.add(Node("feedback", release_id, _counted(said)), answers)


def _counted(count: int) -> dict[str, Any]:
    return {"count": min(count, MOST_COUNTED), "more": count > MOST_COUNTED}
