"""Starting the server: everything that can be wrong is said before it listens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import MissingExtraError, ServeError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace, check_id
from tuneloop.core.watching import WatchConfig
from tuneloop.releases import index
from tuneloop.serve.adapters import ENGINE as ADAPTERS_ENGINE

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(
    release: str,
    *,
    workspace: Workspace,
    config: ServeConfig,
    watch: WatchConfig | None = None,
    engine: str | None = None,
    api_key: str | None = None,
    ready: Callable[[str], None] | None = None,
    dry_run: bool = False,
    follow: str = "",
    deploy: DeployConfig | None = None,
    around: Callable[[FastAPI], Any] | None = None,
) -> None:
    """Answer texts with a release until SIGTERM or SIGINT; returns when every accepted request is answered.

    Args:
        release: the id of a release in the workspace.
        workspace: where releases lie; others of it can be activated while serving.
        config: address and limits.
        watch: what is kept of answers; nothing by default.
        engine: the engine for every release; the one recorded in it by default; "vllm" hands a model that writes to
            vLLM, which serves it alone.
        api_key: what clients must send; TUNELOOP_API_KEY or TUNELOOP_API_KEY_FILE by default.
        ready: called once with the address when texts are answered.
        dry_run: only print the command with which vLLM is started.
        follow: the name of a model, whose deployments decide in the place of `release` what answers; vLLM follows none.
        deploy: when a release that is being tried is worse.
        around: what is run in the place of the server and hands its paths to it, such as the studio; websockets too.

    Raises:
        ReleaseError: if there is no such release or a file is damaged.
        ModelError: if it cannot be opened with this engine.
        ConfigError: if the rules by which requests are refused cannot be read.
        ServeError: if the port is taken, or the API key is missing where it is needed, or too short.
        MissingExtraError: if the packages of the server are not installed.
    """
    if config.adapters:
        _check_adapters(engine, follow)
    if engine == "vllm":
        if config.trail != "off":
            raise ServeError(
                t("vLLM answers clients itself and writes no audit trail."),
                t("Set serve.trail: off, or serve without --engine vllm."),
            )
        if watch is not None and watch.used:
            raise ServeError(
                t("vLLM answers clients itself and writes no events."),
                t("Set watch.events: off, or serve without --engine vllm."),
            )
        _serve_with_vllm(release, workspace=workspace, config=config, api_key=api_key, dry_run=dry_run)
        return
    if dry_run:
        raise ServeError(t("There is no command to print."), t("Add --engine vllm."))
    try:
        from tuneloop.serve.app import create_app
        from tuneloop.serve.security import find_api_key
        from tuneloop.serve.server import Server, listen
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None

    for each in (release, *config.adapters):
        index.find(check_id(each), workspace)
    key = find_api_key(api_key)
    app = create_app(
        release, workspace=workspace, config=config, engine=engine, api_key=key, watch=watch, follow=follow,
        deploy=deploy,
    )  # fmt: skip

    def announce(url: str) -> None:
        service = app.state.service
        for sentence in [*service.watcher.notices(), *service.warnings()]:
            print(sentence, file=sys.stderr, flush=True)
        if ready is not None:
            ready(url)

    whole = app if around is None else around(app)
    Server(whole, listen(config.host, config.port), ready=announce, websockets=around is not None).serve_until_stopped()


def _check_adapters(engine: str | None, follow: str) -> None:
    """Nothing, if several adapters can be served so.

    Raises:
        ServeError: if not.
    """
    if engine not in (None, ADAPTERS_ENGINE):
        raise ServeError(
            t("Several adapters are computed together by {engine} alone.", engine=ADAPTERS_ENGINE),
            t("Leave --engine out, or serve one release."),
        )
    if follow:
        raise ServeError(
            t("A server of several adapters follows no deployments."),
            t("Name a release, such as {release}.", release=f"{follow}-1"),
        )


def _serve_with_vllm(
    release: str, *, workspace: Workspace, config: ServeConfig, api_key: str | None, dry_run: bool
) -> None:
    """Print the command, or become vLLM."""
    from tuneloop.releases.read import open_release
    from tuneloop.serve.security import find_api_key
    from tuneloop.serve.vllm import run_vllm, vllm_command

    folder = workspace.cache.resolve() / "vllm" / check_id(release)
    command = vllm_command(open_release(release, workspace), config=config, folder=folder)
    if dry_run:
        print(command)
    else:
        run_vllm(command, host=config.host, api_key=find_api_key(api_key))
