"""The part of the Python door that copies finished folders to an object store and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.api.releasing import DEFAULT_WORKSPACE
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.releases.remote import Copied


def push(url: str, *names: str, workspace: Path = DEFAULT_WORKSPACE, quiet: bool = False) -> list[Copied]:
    """Send finished snapshots, encoders, runs, releases and audits to an object store.

    What is there already is not sent again, and an interrupted call goes on where it was. A folder appears there as a
    whole, at the end.

    Args:
        url: such as s3://BUCKET/PREFIX; keys come from the environment.
        names: of folders, such as mood-3 or runs/mood-20260102-030405-ab; a model's name means its newest release; all
            by default.

    Returns:
        Each folder, with the number of files that were sent.

    Raises:
        ConfigError: if it is no such URL.
        ReleaseError: if there is no such folder, a release is damaged, or another one has its name there.
        StorageError: if the store refuses.
    """
    from tuneloop.releases import remote

    return remote.push(_checked(url), names, workspace=Workspace(Path(workspace)), quiet=quiet)


def pull(url: str, *names: str, workspace: Path = DEFAULT_WORKSPACE, quiet: bool = False) -> list[Copied]:
    """Fetch what `push` has sent, every file checked against its SHA-256; arguments and errors are those of `push`.

    Returns:
        Each folder, with the number of files that were fetched.
    """
    from tuneloop.releases import remote

    return remote.pull(_checked(url), names, workspace=Workspace(Path(workspace)), quiet=quiet)


def _checked(url: str) -> str:
    from tuneloop.core.object_store import url_of

    found = url_of(url)
    if not found:
        raise ConfigError(t("{url} is no URL of an object store.", url=url), t("Write s3://BUCKET/PREFIX."))
    return found
