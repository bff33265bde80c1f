"""A recorded request answered once more, by the very code that serves, and held against its record."""

from __future__ import annotations

import asyncio
from typing import Any

from tuneloop.core.deployment import ReleaseConfig, ServeConfig
from tuneloop.core.errors import DataError, ReleaseError, ServeError
from tuneloop.core.hashing import canonical_json, hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.releases.manifest import MANIFEST
from tuneloop.releases.read import Release
from tuneloop.serve.openai_routes import write_whole
from tuneloop.serve.openai_schemas import ChatRequest, CompletionRequest
from tuneloop.serve.problems import Problem
from tuneloop.serve.service import OpenModel, Service
from tuneloop.serve.slot import open_model
from tuneloop.serve.trail import Noted, keep, said_of_documents, said_of_words, said_whole
from tuneloop.trail.veil import VEILS, same_strings, veiled

PATIENT = {
    "trail": "off", "deadline_s": 600.0, "writing_deadline_s": 3600.0,
    "max_prefix_tokens": 0,  # what is known already is added up in another order
}  # fmt: skip


def replay(
    record: dict[str, Any],
    asked: Any,
    *,
    release: Release,
    workspace: Workspace,
    settings: dict[str, Any],
    opened: OpenModel | None = None,
) -> Any:
    """What the release answers to a recorded request today, as JSON like `told` in the record.

    Args:
        record: of an answer.
        asked: the request itself.
        release: which answered; every file checked.
        settings: the `serve` settings that held when it was opened.
        opened: opens the release; tests pass their own.

    Raises:
        ReleaseError: if the release is not the one that answered.
        ServeError: if it refuses the request today.
    """
    if record["manifest"] and hash_file(release.path / MANIFEST) != record["manifest"]:
        raise ReleaseError(
            t("The release {name} is not the one that answered: its files are others.", name=release.id),
            t("Restore the folder from a copy of that time."),
        )
    config = ServeConfig.model_validate(settings | PATIENT)

    def open_recorded(name: str) -> Any:
        return open_model(name, workspace=workspace, engine=record["engine"], max_batch_tokens=config.max_batch_tokens)

    return asyncio.run(_again(record, asked, Service(opened or open_recorded, workspace=workspace, config=config)))


def difference(told: dict[str, Any], again: Any, record: dict[str, Any], *, labels: Any, secret: bytes) -> float | None:
    """How far an answer is from the recorded one: the largest difference of a number, 0.0 if they are the same.

    None if anything that is no number differs.

    Args:
        told: the recorded answer, sealed.
        again: the new one.
        labels: of the task.
        secret: of the trail; empty if it is gone, and what was taken out is then not compared.
    """
    kept = keep(again, record["kept"], labels)
    if "exact" in told:
        return _largest(told["exact"], kept)
    if secret and not same_strings(kept, told, secret):
        return None
    return _largest(told["veiled"], veiled(kept, VEILS[told["veil"]])[0])


def tolerance(release: Release, engine: str) -> float:
    """By how much neighbours in a batch may change a number: what the release's proof allows or has measured."""
    rules = ReleaseConfig.model_validate(release.info["config"]["release"])
    return max(rules.max_batch_effect, float(release.info["forms"].get(engine, {}).get("batch_effect", 0.0)))


async def _again(record: dict[str, Any], asked: Any, service: Service) -> Any:
    await service.load(record["release"])
    try:
        if service.failure is not None:
            raise service.failure
        return await _answer(record, asked, service)
    except Problem as problem:
        raise ServeError(problem.detail, problem.hint) from None
    finally:
        await asyncio.to_thread(service.close)


async def _answer(record: dict[str, Any], asked: Any, service: Service) -> Any:
    route, deadline_s = record["route"], service.config.writing_deadline_s
    body = canonical_json(asked)
    if route == "/v1/predict":
        noted = Noted(service.recorder, route)
        noted.seed = record.get("seed")
        answer = await service.predict(body, deadline_s, noted)
        return [each.to_json() for each in answer.predictions]
    if route == "/v1/ask":
        _, found = await service.ask(body, deadline_s)
        return said_of_documents(found)
    if route == "/v1/explain":
        _, explained = await service.explain(body, deadline_s)
        return said_of_words(explained)
    kinds = {"/v1/chat/completions": ChatRequest, "/v1/completions": CompletionRequest}
    if route not in kinds:
        raise DataError(t("This tuneloop knows no route {route}.", route=route))
    return said_whole(await write_whole(service, kinds[route].model_validate(asked), deadline_s))  # type: ignore[attr-defined]


def _largest(one: Any, other: Any) -> float | None:
    """The largest difference between the numbers of two JSON values of the same form; None if anything else differs."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or isinstance(one, str):
        return 0.0 if one == other and type(one) is type(other) else None
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(float(one) - float(other))
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(one[key], other[key]) for key in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = list(zip(one, other, strict=True))
    else:
        return None
    found = [_largest(*pair) for pair in pairs]
    return None if None in found else max((each for each in found if each is not None), default=0.0)
