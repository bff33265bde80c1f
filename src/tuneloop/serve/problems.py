"""Errors over HTTP: RFC 9457 problem details, in the language that the client asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not answered as asked.

    Args:
        status: the HTTP status.
        detail: what is wrong with this request, one sentence.
        hint: what to do about it, one sentence.
        headers: more response headers, such as Retry-After.
        param: the field of the request that is wrong, for clients of OpenAI's interface.
        code: OpenAI's word for what is wrong.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.param = param
        self.code = code
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, error: TuneloopError, status: int) -> Problem:
        """An error of ours, under the given status."""
        return cls(status, error.problem, error.hint)

    def body(self) -> bytes:
        """The problem document, UTF-8 JSON."""
        plain = {
            "type": "about:blank",
            "title": title(self.status),
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
        }
        return json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace")

    def openai_body(self) -> bytes:
        """The same as OpenAI's interface says it, UTF-8 JSON."""
        kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
        plain = {
            "message": f"{self.detail} {self.hint}".strip(),
            "type": kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error"),
            "param": self.param,
            "code": self.code or {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(self.status),
        }
        return json.dumps({"error": plain}, ensure_ascii=False).encode("utf-8", "replace")


def too_long(param: str | None = None) -> Problem:
    """What a prompt is told that leaves no room for the answer that it asks for."""
    return Problem(
        400, t("The prompt and its answer are longer than the model reads."),
        t("Send less, or ask for fewer tokens."), param=param, code="context_length_exceeded",
    )  # fmt: skip


def title(status: int) -> str:
    """The general name of a status."""
    titles = {
        400: t("The request cannot be read"),
        401: t("API key needed"),
        403: t("Not allowed"),
        404: t("Not found"),
        405: t("Method not allowed"),
        408: t("The request came too slowly"),
        409: t("Not possible now"),
        413: t("The request is too large"),
        422: t("The request is wrong"),
        429: t("Too many requests"),
        503: t("Not ready"),
        504: t("Too late"),
    }
    return titles.get(status) or t("Internal error")


def preferred_language(accept: str) -> str:
    """en or zh, whichever an Accept-Language header prefers; en if it names neither."""
    best, chosen = 0.0, "en"
    for part in accept.lower().split(","):
        tag, _, weight = part.partition(";")
        code = tag.strip().split("-")[0]
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if code in ("en", "zh") and quality > best:
            best, chosen = quality, code
    return chosen
