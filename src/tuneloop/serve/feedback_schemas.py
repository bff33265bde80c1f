"""What a client sends to /v1/feedback, and what it is told of events."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneloop.core.i18n import t
from tuneloop.serve.problems import Problem
from tuneloop.serve.schemas import misfit

KEY = re.compile(r"[!-~]{1,200}")


class FeedbackRequest(BaseModel):
    """What somebody says is right: the right `label`, or whether the answer was `good`, or both."""

    model_config = ConfigDict(
        extra="forbid", strict=True,
        json_schema_extra={
            "examples": [{"event": "20260102-0123456789abcdef.0", "label": "the right class", "key": "ticket-17"}]
        },
    )  # fmt: skip

    event: str = Field(
        min_length=1, max_length=100,
        description="The X-Request-Id of the answer, a dot and the number of the text in the request, from 0.",
    )  # fmt: skip
    label: str | None = Field(None, min_length=1, max_length=200, description="The right answer.")
    good: bool | None = Field(None, description="Whether the answer was right.")
    by: str = Field("", max_length=200, description="Who says so, as a name that tells no stranger who it is.")
    comment: str = Field("", max_length=2000, description="In their words; kept as texts are, without personal data.")
    key: str | None = Field(
        None, description="In place of the header Idempotency-Key: the same key and body is never counted twice."
    )


class FeedbackOut(BaseModel):
    """Feedback as it is kept; it is on the disk."""

    key: str = Field(description="Of the client.")
    event: str = Field(description="What it is about.")
    label: str | None = Field(description="The right answer.")
    good: bool | None = Field(description="Whether the answer was right.")
    by: str = Field(description="Who says so.")
    comment: str = Field(description="In their words.")
    at: float = Field(description="When it came first, seconds since 1970, UTC.")
    number: int = Field(description="Its place in the store; later feedback has a higher one.")


class EventsOut(BaseModel):
    """What is kept of answers, and how it went since the server started."""

    kept: str = Field(description="off, hashes, vectors or texts.")
    keep_days: int = Field(description="Days after which an event goes.")
    waiting: int = Field(description="Events that wait for the disk.")
    written: int = Field(description="Events that are on the disk.")
    dropped: int = Field(description="Events that are lost, because too many waited or the disk refused at the end.")
    unfit: int = Field(description="Events that the store does not take.")
    failed_writes: int = Field(description="Writes that the disk or the database refused, and that were tried again.")


def parse_feedback(body: bytes) -> FeedbackRequest:
    """The feedback in a body.

    Raises:
        Problem: 400 if it is not JSON, 422 if it does not fit.
    """
    hint = t('Send {"event": "...", "label": "..."} or {"event": "...", "good": true}; see /docs.')
    try:
        asked = FeedbackRequest.model_validate_json(body)
    except ValidationError as failure:
        raise misfit(failure.errors(include_url=False, include_input=False)[0], hint) from None
    if asked.label is None and asked.good is None:
        raise Problem(422, t("The feedback says neither what is right nor whether the answer was."), hint)
    for name in ("event", "label", "by"):
        if "\0" in (getattr(asked, name) or ""):
            raise Problem(422, t("The field {field} holds a sign with number 0.", field=name), hint)
    return asked


def check_key(asked: FeedbackRequest, header: str | None) -> str:
    """The key of feedback.

    Raises:
        Problem: 422 if there is none, there are two, or it is too long or no printable ASCII.
    """
    hint = t("Send the header Idempotency-Key with a name of your own for this feedback, such as a UUID.")
    if header is not None and asked.key is not None and header != asked.key:
        raise Problem(422, t("The header Idempotency-Key and the field key differ."), hint)
    key = header if header is not None else asked.key
    if key is None:
        raise Problem(422, t("The feedback has no key."), hint)
    if not KEY.fullmatch(key):
        raise Problem(422, t("The key must be 1 to 200 printable ASCII characters without spaces."), hint)
    return key
