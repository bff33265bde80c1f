"""The routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import ServeConfig
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.adapters import open_adapters
from tuneloop.serve.asking import AskRequest, AskResponse
from tuneloop.serve.docs_page import docs_page
from tuneloop.serve.explaining import DEADLINE_S, ExplainRequest, ExplainResponse
from tuneloop.serve.feedback_routes import add_feedback
from tuneloop.serve.gate import Gate
from tuneloop.serve.openai_answers import encode
from tuneloop.serve.openai_routes import add_openai
from tuneloop.serve.problems import CONTENT_TYPE, Problem, title
from tuneloop.serve.rate import RECOUNT
from tuneloop.serve.requests import deadline_of, read_body, unless_gone
from tuneloop.serve.schemas import ModelsResponse, PredictRequest, PredictResponse, ProblemOut, StateOut
from tuneloop.serve.security import Guard
from tuneloop.serve.service import OpenModel, Service, State
from tuneloop.serve.slot import open_model as open_from_disk
from tuneloop.serve.trail import said_of_documents, said_of_words

SESSION = "x-session"
"""Header with what requests have in common that are to be answered by one release, while another is being tried."""

DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The docs page may show itself and load nothing."""


def create_app(
    release: str,
    *,
    workspace: Workspace,
    config: ServeConfig,
    engine: str | None = None,
    api_key: str | None = None,
    open_model: OpenModel | None = None,
    watch: WatchConfig | None = None,
    follow: str = "",
    deploy: DeployConfig | None = None,
) -> FastAPI:
    """The server as an ASGI application; `app.state.service` is its `Service`.

    Args:
        release: the release that answers first; it is opened when the application starts.
        workspace: where releases lie.
        config: limits, and the address, which decides who may ask.
        engine: the engine for every release; the one recorded in it by default.
        api_key: what clients must send; needed unless the address is localhost.
        open_model: opens a release; tests pass their own.
        watch: what is kept of answers; nothing by default.
        follow: the name of a model, whose deployments decide in the place of `release` what answers.
        deploy: when a release that is being tried is worse.

    Raises:
        ServeError: if the key is missing where it is needed, or too short.
        ConfigError: if the rules by which requests are refused cannot be read.
    """
    guard = Guard(host=config.host, api_key=api_key)

    def open_release(name: str) -> Any:
        if config.adapters:
            return open_adapters(
                [name, *config.adapters], workspace=workspace, max_batch_tokens=config.max_batch_tokens
            )
        return open_from_disk(name, workspace=workspace, engine=engine, max_batch_tokens=config.max_batch_tokens)

    service = Service(
        open_model or open_release, workspace=workspace, config=config, watch=watch, follow=follow, deploy=deploy
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(service.load(release))
        yield
        await loading
        await asyncio.to_thread(service.close)

    app = FastAPI(title="tuneloop", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    app.add_exception_handler(HTTPException, _as_problem)
    app.add_exception_handler(RequestValidationError, _as_problem)
    _add_predict(app, service)
    _add_ask(app, service)
    _add_explain(app, service)
    _add_models(app, service)
    add_openai(app, service, _json_body, _problems)
    add_feedback(app, service, _json_body, _problems)
    _add_state(app, service)
    app.add_middleware(Gate, guard=guard, service=service)
    return app


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/predict",
        summary="Judge texts",
        response_model=PredictResponse,
        responses=_problems(400, 401, 403, 408, 413, 422, 429, 500, 503, 504),
        openapi_extra={"requestBody": _json_body(PredictRequest)},
    )
    async def predict(request: Request) -> Response:
        """The predictions for one text or several, in their order, all from one release."""
        deadline_s = deadline_of(request.headers, service.deadline_s)
        body = await read_body(request.receive, min(deadline_s, service.config.deadline_s))
        started_s = time.perf_counter()
        noted = service.recorder.begin("/v1/predict")
        answer = await unless_gone(
            service.predict(body, deadline_s, noted, request.headers.get(SESSION)), request.receive
        )
        predictions = [each.to_json() for each in answer.predictions]
        await noted.answered(answer.release, body, predictions)
        service.watcher.answered(noted, answer)
        content = encode({"release": answer.release, "predictions": predictions})
        service.batcher.meter.seconds.observe(time.perf_counter() - started_s)
        return Response(content, headers=noted.headers, media_type="application/json")


def _add_ask(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/ask",
        summary="Ask the documents",
        response_model=AskResponse,
        responses=_problems(400, 401, 403, 404, 408, 413, 422, 429, 500, 503, 504),
        openapi_extra={"requestBody": _json_body(AskRequest)},
    )
    async def ask(request: Request) -> Response:
        """An answer from the documents that travel with the release, with citations, or that nothing supports one."""
        deadline_s = deadline_of(request.headers, service.deadline_s)
        body = await read_body(request.receive, service.config.deadline_s)
        noted = service.recorder.begin("/v1/ask")
        release, answer = await unless_gone(service.ask(body, deadline_s), request.receive)
        await noted.answered(release, body, said_of_documents(answer))
        content = encode({"release": release, **answer.to_json()})
        return Response(content, headers=noted.headers, media_type="application/json")


def _add_explain(app: FastAPI, service: Service) -> None:
    @app.post(
        "/v1/explain",
        summary="Explain an answer",
        response_model=ExplainResponse,
        responses=_problems(400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 504),
        openapi_extra={"requestBody": _json_body(ExplainRequest)},
    )
    async def explain(request: Request) -> Response:
        """What each word of a text adds to the answer; asked for in portions, so that predictions go on between."""
        deadline_s = deadline_of(request.headers, DEADLINE_S)
        body = await read_body(request.receive, service.config.deadline_s)
        noted = service.recorder.begin("/v1/explain")
        release, found = await unless_gone(
            service.explain(body, deadline_s, request.scope.get(RECOUNT)), request.receive
        )
        await noted.answered(release, body, said_of_words(found))
        content = encode({"release": release, **found.to_json()})
        return Response(content, headers=noted.headers, media_type="application/json")


def _add_models(app: FastAPI, service: Service) -> None:
    @app.get("/v1/models", summary="What answers, and what could", responses=_problems(401, 403, 503))
    async def models() -> ModelsResponse:
        """The loaded release with its engine, its labels and what to know about it; and every known release."""
        return await service.models()

    @app.post(
        "/v1/models/{release}/activate",
        summary="Answer with another release",
        responses=_problems(401, 403, 404, 409, 422, 503),
    )
    async def activate(release: str) -> ModelsResponse:
        """Opened and checked beside the old one, which answers until then, and goes on if anything is wrong."""
        await service.activate(release)
        return await service.models()


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", summary="Does the process live?")
    async def healthz() -> StateOut:
        """Always 200; the only route that needs no API key."""
        return StateOut(state=service.state)

    @app.get("/readyz", summary="Does it answer texts?", responses=_problems(401, 403, 503))
    async def readyz() -> StateOut:
        """200 while texts are answered, 503 while the model is loaded or the server shuts down."""
        if service.state is not State.READY:
            raise service.not_ready()
        return StateOut(state=service.state, problem=service.following.problem() if service.following else None)

    @app.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Requests by route and status, texts by release, batch sizes, times, the queue."""
        return Response(service.batcher.meter.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()), headers={"Content-Security-Policy": DOCS_POLICY})


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": ProblemOut, "content": {CONTENT_TYPE: {}}} for status in statuses}


def _json_body(model: type[BaseModel]) -> dict[str, Any]:
    """The body that is parsed by `parse_request`, for the OpenAPI document; its parts stand inside it."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})
    return {"required": True, "content": {"application/json": {"schema": _inlined(schema, parts)}}}


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(parts[node["$ref"].rpartition("/")[2]], parts)
        return {key: _inlined(value, parts) for key, value in node.items()}
    return [_inlined(each, parts) for each in node] if isinstance(node, list) else node


async def _as_problem(_: Request, error: Exception) -> Response:
    """What the framework refuses by itself, in our form."""
    status = error.status_code if isinstance(error, HTTPException) else 422
    details = {
        404: (t("There is nothing at this path."), t("See /docs for the routes.")),
        405: (t("This path is asked in another way."), t("See /docs for the routes.")),
    }
    detail, hint = details.get(status, (title(status), ""))
    problem = Problem(status, detail, hint, headers=getattr(error, "headers", None))
    return Response(problem.body(), status, headers=problem.headers, media_type=CONTENT_TYPE)
