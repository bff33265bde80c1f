"""`tuneloop serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import WorkspacePath, say, workspace_root
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME


def serve(
    release: Annotated[str, typer.Argument(help=t("A release; a model's name follows what is deployed of it."))],
    host: Annotated[str | None, typer.Option("--host", help=t("Address to listen on."))] = None,
    port: Annotated[int | None, typer.Option("--port", help=t("Port to listen on; 0 takes a free one."))] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", help=t("Another engine than the release's own; or vllm, which serves models that write.")
        ),
    ] = None,
    adapters: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter", help=t("A further release that answers who names it: LoRA kept apart; may be given often.")
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help=t("A file with the API key; the variable TUNELOOP_API_KEY otherwise.")),
    ] = None,
    print_command: Annotated[
        bool, typer.Option("--print-command", help=t("Only print the command; for --engine vllm."))
    ] = False,
    workspace: WorkspacePath = None,
) -> None:
    """On localhost by default; stops on Ctrl-C after every accepted request is answered."""
    from tuneloop import api

    api.serve(
        release,
        host=host,
        port=port,
        engine=engine,
        adapters=adapters or (),
        api_key=read_key(key_file),
        config=CONFIG_NAME if Path(CONFIG_NAME).is_file() else None,
        dry_run=print_command,
        workspace=workspace_root(workspace),
        ready=lambda url: say(t("Serving at {url}   (documentation: {url}/docs)", url=url)),
    )


def read_key(file: Path | None) -> str | None:
    """The API key in a file, or of the environment.

    Raises:
        ServeError: if the file cannot be read.
    """
    from tuneloop.core.errors import ServeError

    if file is None:
        return os.environ.get("TUNELOOP_API_KEY") or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(
            t("The key file {path} cannot be read: {error}", path=file, error=error), t("Give a text file.")
        ) from None
