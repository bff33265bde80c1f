"""`tuneloop studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.serving import read_key
from tuneloop.cli.show import WorkspacePath, say
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME


def studio(
    config: Annotated[Path, typer.Argument(help=t("The configuration; it need not be there yet."))] = Path(CONFIG_NAME),
    host: Annotated[str, typer.Option("--host", help=t("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help=t("Port to listen on; 0 takes a free one."))] = 8090,
    serve: Annotated[
        str, typer.Option("--serve", help=t("A release, or a model's name, that answers over HTTP on the same port."))
    ] = "",
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help=t("A file with the API key; the variable TUNELOOP_API_KEY otherwise.")),
    ] = None,
    workspace: WorkspacePath = None,
) -> None:
    """On localhost by default; what was started there goes on after Ctrl-C."""
    from tuneloop.studio.start import start

    start(
        config,
        workspace=workspace,
        host=host,
        port=port,
        serve=serve,
        api_key=read_key(key_file),
        ready=lambda url: say(t("Studio at {url}", url=url)),
    )
