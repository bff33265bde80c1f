"""The part of the Python door that tells what was answered, by what, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace

if TYPE_CHECKING:
    from tuneloop.trail.verify import Verdict

EXACT, CLOSE, DIFFERENT = "exact", "close", "different"


def verify_trail(*, head: str = "", workspace: Path | None = None) -> Verdict:
    """Whether every line of the audit trail is as it was written, and none is missing.

    With `TUNELOOP_TRAIL_KEY` signatures are checked too.

    Args:
        head: the hash of a line that was noted elsewhere; it must still be there.

    Raises:
        DataError: if there is no trail.
    """
    from tuneloop.trail.chain import find_key
    from tuneloop.trail.verify import verify

    return verify(_folder(workspace), head=head, key=find_key())


def trail_records(*, last: int | None = None, workspace: Path | None = None) -> Iterator[dict[str, Any]]:
    """The records of the audit trail, the newest first.

    Raises:
        DataError: if there is no trail.
    """
    from tuneloop.trail.read import records

    return islice(records(_folder(workspace), newest_first=True), last)


def why(
    request_id: str, *, text: str | None = None, request: Any = None, workspace: Path | None = None
) -> dict[str, Any]:
    """What was answered to a request, by which release and rules, and whether that release answers so again.

    The release is opened with the engine that answered, every file checked, and asked the same through the same code.

    Args:
        request_id: the X-Request-Id of an answer, or the id of an answer of OpenAI's interface.
        text: the text that the record does not show, if it was a single one.
        request: or the whole body that was sent, as JSON.

    Returns:
        `record`; `lineage` of the release; `told`, the answer as recorded; `replay` with its `verdict` (exact, close:
        within the tolerance, different), the `difference` and `tolerance` of numbers, the new answer `told` and what
        of the `environment` is another than then. `replay` is None with a `reason` where there is nothing to repeat.

    Raises:
        DataError: if there is no such request, or the text is not the one that was sent.
        ReleaseError: if the release is gone, damaged, or not the one that answered.
    """
    from tuneloop.releases.lineage import lineage_of
    from tuneloop.releases.read import open_release
    from tuneloop.trail.read import find

    folder = _folder(workspace)
    record = find(request_id, folder)[-1]
    release = open_release(record["release"], Workspace(_root(workspace)))
    found = {"record": record, "lineage": lineage_of(release.info), "told": record.get("told"), "replay": None}
    secret = _secret(folder)
    if record["kind"] == "begun":
        return found | {"reason": t("The answer was never finished: the server was stopped in the middle of it.")}
    asked = _asked(record, text, request, secret)
    if asked is None:
        return found | {"reason": t("The record does not hold the whole request; give it with --text or --request.")}
    if record["finish"] != "whole":
        return found | {"reason": t("The client went away before the answer was finished.")}
    return found | {"replay": _replayed(record, asked, release, folder, secret)}


def _replayed(record: dict[str, Any], asked: Any, release: Any, folder: Path, secret: bytes) -> dict[str, Any]:
    from tuneloop.core.errors import MissingExtraError
    from tuneloop.core.provenance import code_version, environment
    from tuneloop.trail.read import loaded_before

    try:
        from tuneloop.serve.replay import difference, replay, tolerance
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None

    then = loaded_before(record, folder) or {}
    labels = frozenset(_labels(release))
    again = replay(record, asked, release=release, workspace=Workspace(folder.parent), settings=then.get("serve", {}))
    most, gap = tolerance(release, record["engine"]), difference(
        record["told"], again, record, labels=labels, secret=secret
    )  # fmt: skip
    verdict = DIFFERENT if gap is None or gap > most else EXACT if gap == 0 else CLOSE
    return {
        "verdict": verdict, "difference": gap, "tolerance": most, "told": again,
        "environment": _changed(then.get("environment", {}), environment()),
        "code": _changed(then.get("code", {}), code_version()),
    }  # fmt: skip


def _asked(record: dict[str, Any], text: str | None, request: Any, secret: bytes) -> Any:
    """The request itself; None if the record does not hold it and nobody brings it.

    Raises:
        DataError: if what is brought is not what was sent, or that cannot be told any more.
    """
    from tuneloop.trail.veil import filled, is_sealed_in

    sealed = record["asked"]
    if "exact" in sealed and text is None and request is None:
        return sealed["exact"]
    if text is None and request is None:
        return None
    if not secret and "exact" not in sealed:
        raise DataError(
            t("The secret of the trail is gone, so no text can be proven to be the one that was sent."),
            t("Put secret.key back beside the trail."),
        )
    if request is not None:
        ways = [_lasting(record["route"], request, sealed)]
    else:
        given = dict.fromkeys([str(text), str(text).removesuffix("\n")])
        ways = [way for each in given if each in _strings(way := filled(sealed, each))]
    for asked in ways:
        if is_sealed_in(asked, sealed, secret):
            return asked
    raise DataError(
        t("This is not what was sent with the request {name}.", name=record["request"]),
        t("Give the text as it was sent, to the last character; or the whole body with --request."),
    )


def _strings(value: Any) -> list[str]:
    from tuneloop.trail.veil import veiled

    return veiled(value, lambda _: "")[1]


def _lasting(route: str, request: Any, sealed: dict[str, Any]) -> Any:
    """What the record holds of a body that a client sent."""
    from tuneloop.serve.openai_routes import lasting
    from tuneloop.serve.openai_schemas import ChatRequest, CompletionRequest, parse_asked
    from tuneloop.serve.problems import Problem

    if route in ("/v1/predict", "/v1/ask", "/v1/explain"):
        return request
    kind = ChatRequest if route == "/v1/chat/completions" else CompletionRequest
    try:
        asked = lasting(parse_asked(json.dumps(request).encode(), kind))  # type: ignore[type-var]
    except Problem as problem:
        raise DataError(problem.detail, problem.hint) from None
    seed = sealed.get("exact", sealed.get("veiled", {})).get("seed")  # the server drew one where none was sent
    return {"seed": seed} | asked if seed is not None else asked


def _labels(release: Any) -> list[str]:
    from tuneloop.inference.opening import read_settings

    return list(read_settings(release.path)["state"].get("labels", []))


def _changed(then: dict[str, Any], now: dict[str, Any]) -> dict[str, list[Any]]:
    return {key: [then[key], now.get(key)] for key in then if then[key] != now.get(key)}


def _secret(folder: Path) -> bytes:
    from tuneloop.trail.veil import read_secret

    try:
        return read_secret(folder)
    except (OSError, ValueError):
        return b""


def _root(workspace: Path | None) -> Path:
    from tuneloop.api.releasing import DEFAULT_WORKSPACE

    return Path(workspace or DEFAULT_WORKSPACE)


def _folder(workspace: Path | None) -> Path:
    folder = Workspace(_root(workspace)).trail
    if not folder.is_dir():
        raise DataError(
            t("There is no audit trail in {folder}.", folder=folder.parent),
            t("Set serve.trail: answers or texts, then serve."),
        )
    return folder
