"""What clients of OpenAI's interface send: read, checked, and refused in one clear sentence."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneloop.core.i18n import t
from tuneloop.serve.problems import Problem

MOST_CHOICES = 8
"""Answers to one request at most."""

MOST_STOPS = 4

IGNORED = (
    "user", "store", "metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "prompt_cache_options", "prediction", "parallel_tool_calls", "verbosity",
)  # fmt: skip
"""Fields that concern OpenAI's own service and change no answer here."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "best_of": (1,), "echo": (False,),
    "suffix": ("",), "modalities": (["text"],), "tools": ([],), "functions": ([],), "tool_choice": ("none", "auto"),
    "function_call": ("none", "auto"), "logprobs": (),
}  # fmt: skip
"""Fields of things that this server does not do, with the values that ask for nothing."""


class StreamOptions(BaseModel):
    """How an answer is sent piece by piece."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = Field(False, description="Whether a last piece counts the tokens.")
    include_obfuscation: bool = Field(False, description="Ignored.")


class WritingOptions(BaseModel):
    """What both routes take."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(description="The release that answers, or its model's plain name.")
    max_tokens: int | None = Field(None, ge=1, description="Tokens of an answer at most.")
    temperature: float | None = Field(None, ge=0, le=5, description="How bold chance is; 0 takes the likeliest token.")
    top_p: float | None = Field(None, gt=0, le=1, description="Share of the likeliest tokens that chance draws from.")
    top_k: int | None = Field(None, ge=0, description="How many of the likeliest tokens chance draws from; 0 is all.")
    repetition_penalty: float | None = Field(
        None, ge=1, le=5, description="Above 1 what was said before becomes less likely."
    )
    seed: int | None = Field(None, ge=-(1 << 63), lt=1 << 63, description="Makes chance repeatable.")
    stop: str | Annotated[list[str], Field(max_length=MOST_STOPS)] | None = Field(
        None, description="The answer ends before any of these texts."
    )
    n: int | None = Field(None, ge=1, le=MOST_CHOICES, description="Answers to each prompt.")
    stream: bool | None = Field(None, description="Whether the answer comes piece by piece, as server-sent events.")
    stream_options: StreamOptions | None = Field(None, description="How it comes.")
    response_format: dict[str, Any] | None = Field(None, description="The form of the answer.")

    @property
    def choices(self) -> int:
        """Answers to each prompt."""
        return self.n or 1

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which an answer ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def most_tokens(self) -> int | None:
        """Tokens of an answer at most, if the client says so."""
        return self.max_tokens

    @property
    def likeliest(self) -> int | None:
        """Tokens whose log-probabilities are told for each place; None if none are."""
        return None

    @property
    def counts_in_stream(self) -> bool:
        """Whether the last piece of a stream counts the tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(WritingOptions):
    """A conversation that is to be answered."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "MODEL", "messages": [{"role": "user", "content": "a text"}]}]}
    )

    messages: list[dict[str, Any]] = Field(
        min_length=1, description="What was said: objects of role (system, user, assistant) and content."
    )
    max_completion_tokens: int | None = Field(None, ge=1, description="The newer name of max_tokens.")
    logprobs: bool | None = Field(None, description="Whether the log-probability of each token is told.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="The likeliest tokens that are told beside it.")

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def likeliest(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None


class CompletionRequest(WritingOptions):
    """A text that is to be continued as it stands, without the form of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "MODEL", "prompt": "a text", "max_tokens": 16}]}
    )

    prompt: str | Annotated[list[str], Field(min_length=1)] = Field(description="The text, or several.")

    @property
    def prompts(self) -> list[str]:
        """The texts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


Asked = TypeVar("Asked", bound=WritingOptions)


def parse_asked(body: bytes, kind: type[Asked]) -> Asked:
    """The request in a body.

    Raises:
        Problem: 400 with the field that is wrong.
    """
    try:
        plain = _Plain.model_validate_json(body).model_extra or {}
    except ValidationError as failure:
        error = failure.errors(include_url=False, include_input=False)[0]
        reason = str(error.get("ctx", {}).get("error", ""))
        detail = (
            t("The body is not valid JSON: {reason}", reason=reason) if reason else t("The body must be a JSON object.")
        )
        raise Problem(400, detail, _see()) from None
    taken = {}
    for name, value in plain.items():
        if name in kind.model_fields:
            taken[name] = value
        elif name in NEUTRAL:
            _check_neutral(name, value)
        elif name not in IGNORED:
            raise Problem(400, t("There is no field {field}.", field=name[:80]), _see(), param=name[:80])
    try:
        return kind.model_validate(taken)
    except ValidationError as failure:
        raise _misfit(failure.errors(include_url=False, include_input=False)[0]) from None


class _Plain(BaseModel):
    """Any JSON object."""

    model_config = ConfigDict(extra="allow")


def _check_neutral(name: str, value: Any) -> None:
    if value is None or value in NEUTRAL[name]:
        return
    if name in ("tools", "functions", "tool_choice", "function_call"):
        raise Problem(
            400, t("Calls of tools are not supported."), t("Leave out {field}.", field=name), param=name,
            code="unsupported_parameter",
        )  # fmt: skip
    raise Problem(
        400, t("The field {field} is not supported.", field=name), t("Leave out {field}.", field=name), param=name,
        code="unsupported_parameter",
    )  # fmt: skip


def _misfit(error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"] if part in WritingFields or isinstance(part, int))[:80]
    if error["type"] == "missing":
        return Problem(400, t("The field {field} is missing.", field=place), _see(), param=place)
    reason = str(error["msg"])
    return Problem(
        400, t("The field {field} is wrong: {reason}", field=place, reason=reason), _see(), param=place,
        code="invalid_value",
    )  # fmt: skip


WritingFields = (
    frozenset(ChatRequest.model_fields)
    | frozenset(CompletionRequest.model_fields)
    | frozenset(StreamOptions.model_fields)
)
"""Names that may be shown: an error also holds names of types."""


def _see() -> str:
    return t("See /docs for what this route takes.")
