"""`tuneloop push` and `tuneloop pull`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, say, workspace_root
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.releases.remote import Copied

Url = Annotated[str, typer.Argument(help=t("An object store, such as s3://BUCKET/PREFIX."))]
Names = Annotated[
    list[str] | None,
    typer.Argument(help=t("Releases, runs, snapshots, encoders or audits; a model's newest release; all by default.")),
]


def push(
    url: Url, names: Names = None, workspace: WorkspacePath = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """What is there already is not sent again; a folder appears there as a whole."""
    from tuneloop import api

    _show(api.push(url, *names or (), workspace=workspace_root(workspace), quiet=quiet), as_json=as_json)


def pull(
    url: Url, names: Names = None, workspace: WorkspacePath = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """Every file is checked against its hash; releases are entered into the index."""
    from tuneloop import api

    _show(api.pull(url, *names or (), workspace=workspace_root(workspace), quiet=quiet), as_json=as_json)


def _show(copied: list[Copied], *, as_json: bool) -> None:
    if as_json:
        print_json([vars(each) for each in copied])
        return
    for each in copied:
        said = t("{count} files copied", count=each.files) if each.files else t("nothing to do")
        say(f"{each.name}: {said}")
