"""Starting the server: everything that can be wrong is said before it listens."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tuneloop.core.config import ServeConfig
from tuneloop.core.errors import MissingExtraError
from tuneloop.core.paths import Workspace, check_id
from tuneloop.releases import index


def serve(
    release: str,
    *,
    workspace: Workspace,
    config: ServeConfig,
    engine: str | None = None,
    api_key: str | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer texts with a release until SIGTERM or SIGINT; returns when every accepted request is answered.

    Args:
        release: the id of a release in the workspace.
        workspace: where releases lie; others of it can be activated while serving.
        config: address and limits.
        engine: the engine for every release; the one recorded in it by default.
        api_key: what clients must send; TUNELOOP_API_KEY or TUNELOOP_API_KEY_FILE by default.
        ready: called once with the address when texts are answered.

    Raises:
        ReleaseError: if there is no such release or a file is damaged.
        ModelError: if it cannot be opened with this engine.
        ServeError: if the port is taken, or the API key is missing where it is needed, or too short.
        MissingExtraError: if the packages of the server are not installed.
    """
    try:
        from tuneloop.serve.app import create_app
        from tuneloop.serve.security import find_api_key
        from tuneloop.serve.server import Server, listen
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None

    index.find(check_id(release), workspace)
    app = create_app(release, workspace=workspace, config=config, engine=engine, api_key=find_api_key(api_key))

    def announce(url: str) -> None:
        for warning in app.state.service.warnings():
            print(warning, file=sys.stderr, flush=True)
        if ready is not None:
            ready(url)

    Server(app, listen(config.host, config.port), ready=announce).serve_until_stopped()
