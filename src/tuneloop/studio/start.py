"""Starting the studio: everything that can be wrong is said before it listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tuneloop.core.errors import MissingExtraError
from tuneloop.core.paths import CONFIG_NAME

HOST, PORT = "127.0.0.1", 8090


def start(
    config: Path = Path(CONFIG_NAME),
    *,
    workspace: Path | None = None,
    host: str = HOST,
    port: int = PORT,
    serve: str = "",
    api_key: str | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Show the pages until SIGTERM or Ctrl-C. Jobs that were started go on.

    Args:
        config: the project's tuneloop.yaml, which need not be there yet.
        workspace: where its runs and releases are; that of the configuration by default.
        host: address to listen on; off localhost an API key is needed.
        port: port to listen on; 0 takes a free one.
        serve: a release, or a model's name, that answers over HTTP on the same port.
        api_key: what people and clients must give; TUNELOOP_API_KEY or TUNELOOP_API_KEY_FILE by default.
        ready: called once with the address.

    Raises:
        ServeError: if the port is taken, or the key is missing or too short.
        MissingExtraError: if the packages of the studio are not installed.
    """
    try:
        from tuneloop.serve.security import find_api_key
        from tuneloop.serve.server import listen
        from tuneloop.studio.app import Both, create_studio
        from tuneloop.studio.server import StudioServer
        from tuneloop.studio.state import Studio
    except ImportError as error:
        raise MissingExtraError(error.name or "nicegui", "studio") from None

    studio, key = Studio(config, workspace), find_api_key(api_key)
    pages = create_studio(studio, host=host, api_key=key)
    if not serve:
        StudioServer(pages, listen(host, port), ready=ready).serve_until_stopped()
        return
    from tuneloop import api

    api.serve(
        serve, host=host, port=port, api_key=key, config=config if config.is_file() else None,
        workspace=studio.workspace.root, ready=ready, around=lambda server: Both(server, pages),
    )  # fmt: skip
