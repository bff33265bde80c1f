"""The part of the Python door that makes releases, finds them and lets them answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import parse_config
from tuneloop.core.paths import CONFIG_NAME, Workspace
from tuneloop.core.project import Config, Project, open_project, project_of
from tuneloop.core.ray_cluster import check_on_ray

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tuneloop.core.deployment import AuditConfig, ExitsConfig
    from tuneloop.releases.index import Row
    from tuneloop.releases.read import Release
    from tuneloop.training.run import Run

DEFAULT_WORKSPACE = Path(".tuneloop")


def release(
    run: Run | str = "latest",
    *,
    config: Config | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
    quiet: bool = False,
) -> Release:
    """A release of a finished run: evaluated, exported, every form proven against the evaluated model.

    Args:
        config: whose sections `audit` (the gate) and `release.exits` count; those of the run by default.

    Raises:
        TrainingError: if there is no such run.
        ReleaseError: if the run is not finished, or does not pass the gate of its section `audit`.
    """
    from tuneloop.training.run import open_run

    place = workspace_of(run, workspace)
    subject = open_run(run, place) if isinstance(run, str) else run
    if config is None:
        return release_of(subject, place, quiet=quiet)
    settings = open_project(config).config
    return release_of(subject, place, gate=settings.audit, exits=settings.release.exits, quiet=quiet)


def release_of(
    run: Run,
    workspace: Workspace,
    *,
    gate: AuditConfig | None = None,
    exits: ExitsConfig | None = None,
    audited: dict[str, Any] | None = None,
    quiet: bool = False,
) -> Release:
    """A release of a finished run, see `release`.

    Args:
        gate: the section `audit` to go by; the run's own by default.
        exits: the section `release.exits` to go by; the run's own by default.
        audited: what `audit` has just said of the run by the same section; else it is audited here.
    """
    from tuneloop.data.snapshot import find_snapshot
    from tuneloop.releases import scorecard
    from tuneloop.releases.auditing import audit_for_release
    from tuneloop.releases.proof import real_tools
    from tuneloop.releases.write import write_release
    from tuneloop.serve.proof import scores_over_http

    config, snapshot = run.config, find_snapshot(run.snapshot_hash, workspace)
    if exits is not None:
        config = config.model_copy(update={"release": config.release.model_copy(update={"exits": exits})})
    return write_release(
        run.path,
        workspace=workspace,
        config=config,
        dev=snapshot.split("dev"),
        train=partial(snapshot.split, "train"),
        evaluation=scorecard.evaluation_of(run, workspace=workspace, quiet=quiet),
        audit=audit_for_release(run, workspace=workspace, config=gate, found=audited, quiet=quiet),
        tools=real_tools(serve=scores_over_http),
        quiet=quiet,
    )


def cascade(
    cheap: str,
    strong: str,
    *,
    name: str | None = None,
    max_loss: float = 0.005,
    confidence: float = 0.9,
    data: Path | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
    quiet: bool = False,
) -> Release:
    """A release of two: the cheap one answers what it is sure of, the strong one the rest.

    Args:
        cheap: a release, or the name of a model for its newest one.
        strong: the same, of the same task, classes and data.
        name: of the new model; that of the strong one with "-cascade" by default.
        max_loss: accuracy that may be lost against the strong release alone.
        confidence: probability with which no more is lost on texts like those that it is fitted on.
        data: labelled rows that neither has learnt from; the dev split by default.

    Raises:
        ConfigError: if the releases do not go together.
        DataError: if the rows cannot show that so little is lost.
        ReleaseError: if there is no such release, or both together are not cheaper.
    """
    from tuneloop.releases.cascade import write_cascade
    from tuneloop.releases.index import model_of
    from tuneloop.releases.proof import real_tools
    from tuneloop.serve.proof import scores_over_http

    first, second = load(cheap, workspace=workspace), load(strong, workspace=workspace)
    return write_cascade(
        first, second, name=name or f"{model_of(second.id)}-cascade", workspace=Workspace(Path(workspace)),
        max_loss=max_loss, confidence=confidence, tools=real_tools(serve=scores_over_http), data=data, quiet=quiet,
    )  # fmt: skip


def load(name: str, *, workspace: Path = DEFAULT_WORKSPACE) -> Release:
    """The release called `name`; a model's name alone means its newest release. Every file is checked.

    Raises:
        ReleaseError: if there is none, or a file is damaged.
    """
    from tuneloop.releases.index import newest
    from tuneloop.releases.read import open_release

    place = Workspace(Path(workspace))
    return open_release(newest(name, place), place)


def find(name: str, *, workspace: Path = DEFAULT_WORKSPACE) -> Run | Release:
    """The release or else the run with this name; "latest" is the newest run."""
    from tuneloop.releases.index import model_of, rows
    from tuneloop.training.run import open_run

    place = Workspace(Path(workspace))
    if any(name in (row.id, model_of(row.id)) for row in rows(place)):
        return load(name, workspace=workspace)
    return open_run(name, place)


def predict_file(
    name: str,
    source: str,
    *,
    output: Path | None = None,
    engine: str | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
    on: str = "",
    workers: int | None = None,
    address: str = "",
    quiet: bool = False,
) -> int:
    """Answer every row of a file with a release; the file's columns are kept.

    Args:
        name: a release.
        source: a data file, or "-" for one text per line of standard input.
        output: a .csv, .jsonl or .parquet file; JSON lines on standard output by default.
        engine: another engine than the release's own.
        on: "ray" answers with several processes of a Ray cluster; empty with this one.
        workers: how many; one for each GPU of the cluster, or each CPU, by default.
        address: of the Ray cluster; see `core.ray_cluster.cluster`.

    Returns:
        How many rows were answered.
    """
    from tuneloop.releases.answers import answer_file

    check_on_ray(on, workers, address)
    release, answers = load(name, workspace=workspace), None
    if on:
        from tuneloop.releases.on_ray import answers_on_ray

        answers = partial(answers_on_ray, release=release, engine=engine, workers=workers, address=address)
    return answer_file(release, source, output=output, engine=engine, quiet=quiet, answers=answers)


def releases(*, workspace: Path = DEFAULT_WORKSPACE) -> list[Row]:
    """Every release, the oldest first."""
    from tuneloop.releases.index import rows

    return rows(Workspace(Path(workspace)))


def diff(first: str, second: str, *, workspace: Path = DEFAULT_WORKSPACE) -> dict[str, Any]:
    """What differs between two releases: settings, data, figures, and a paired test where both saw the same rows."""
    from tuneloop.releases.compare import compare as compare_releases

    return compare_releases(load(first, workspace=workspace), load(second, workspace=workspace))


def export(name: str, target: Path, *, workspace: Path = DEFAULT_WORKSPACE) -> Path:
    """A checked copy of a release at `target`, which must not exist yet."""
    from tuneloop.releases.export import export as export_release

    place = Workspace(Path(workspace))
    return export_release(load(name, workspace=workspace).id, target, workspace=place)


def reindex(*, workspace: Path = DEFAULT_WORKSPACE) -> list[Row]:
    """Rebuild the index from the release folders; damaged ones are left out."""
    from tuneloop.releases.index import reindex as rebuild

    return rebuild(Workspace(Path(workspace)))


def serve(
    name: str,
    *,
    host: str | None = None,
    port: int | None = None,
    engine: str | None = None,
    adapters: Sequence[str] = (),
    api_key: str | None = None,
    config: Config | None = None,
    workspace: Path = DEFAULT_WORKSPACE,
    ready: Callable[[str], None] | None = None,
    dry_run: bool = False,
    around: Callable[[FastAPI], Any] | None = None,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C; returns when every accepted request is answered.

    Args:
        name: a release. A model's name follows what is deployed of it: the server starts with the current release, or
            the newest where nothing was deployed yet, and exchanges it when another is.
        host: address to listen on; off localhost an API key is needed.
        port: port to listen on; 0 takes a free one.
        engine: another engine than the release's own; "vllm" where it is installed, for models that write.
        adapters: further releases that answer who names them in a request; `serve.adapters` by default. All were tuned
            with LoRA kept apart from the same model, and texts of all are computed together.
        api_key: what clients must send as a bearer token.
        config: whose `serve` and `watch` settings hold; those in the release by default.
        ready: called once with the address.
        dry_run: only print the command, which "vllm" has.
        around: what is run in the place of the server and hands its paths to it, such as the studio.

    Raises:
        ServeError: if the port is taken, or the key is missing or too short.
    """
    from tuneloop.serve.start import serve as start

    place = Workspace(Path(workspace))
    found = _served(name, place)
    follow = "" if found.id == name else name
    project = open_project(config) if config else project_of(parse_config(found.info["config"]), place.root)
    given = {
        "host": host,
        "port": port,
        "adapters": tuple(adapters) or None,
        "refuse": project.path_of(project.config.serve.refuse),
    }
    changes = {key: value for key, value in given.items() if value is not None}
    start(
        found.id, workspace=place, config=project.config.serve.model_copy(update=changes), watch=project.config.watch,
        engine=engine, api_key=api_key, ready=ready, dry_run=dry_run, follow=follow, deploy=project.config.deploy,
        around=around,
    )  # fmt: skip


def _served(name: str, workspace: Workspace) -> Release:
    """The release with this id, every file checked; or the one that is current of the model with this name, if its
    release.json is there, else the newest before it: a server that follows a model checks what it opens.

    Raises:
        ReleaseError: if there is none.
    """
    from tuneloop.core.errors import ReleaseError
    from tuneloop.releases.deployment import deployed
    from tuneloop.releases.index import newest
    from tuneloop.releases.read import open_release

    if newest(name, workspace) == name:
        return open_release(name, workspace)
    for release in reversed(deployed(name, workspace).releases):
        with suppress(ReleaseError, OSError, ValueError):
            return open_release(release, workspace, verify=False)
    return open_release(newest(name, workspace), workspace)


def workspace_of(target: Run | Release | str, workspace: Path) -> Workspace:
    """Where a run or release lies: an opened run or release lies two folders below its workspace."""
    return Workspace(Path(workspace) if isinstance(target, str) else target.path.parents[1])


def found(target: Run | Release | str, workspace: Path | None) -> tuple[Run | Release, Workspace]:
    """A run or release, or the one with this name, and where it lies; see `find`."""
    place = workspace_of(target, workspace or DEFAULT_WORKSPACE)
    return find(target, workspace=place.root) if isinstance(target, str) else target, place


def project_here(workspace: Workspace) -> Project | None:
    """The project of ./tuneloop.yaml, if the workspace is its own."""
    if not Path(CONFIG_NAME).is_file():
        return None
    project = open_project()
    return project if project.workspace.root.resolve() == workspace.root.resolve() else None
