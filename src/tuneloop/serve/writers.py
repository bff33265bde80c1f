"""Requests to a model that writes, as the answers that are to be written."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.continuous import Draft, Piece
from tuneloop.inference.decoding import Decoding
from tuneloop.inference.ruling import discreet
from tuneloop.releases.index import model_of
from tuneloop.serve.openai_answers import Form
from tuneloop.serve.openai_schemas import MOST_CHOICES, ChatRequest, CompletionRequest, WritingOptions
from tuneloop.serve.problems import Problem, too_long
from tuneloop.serve.scheduler import Lane, Scheduler
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.constrained import Constraint as Compiled
    from tuneloop.inference.writing import Writer
    from tuneloop.tasks.base import Prediction

LEAST_TEMPERATURE = 1e-4
"""Below it chance chooses the likeliest token anyway, and numbers overflow."""


def check_named(model: str, release: str) -> None:
    """Let a request pass that names the loaded release, or its model without the number.

    Raises:
        Problem: 404 if it names another.
    """
    if model not in (release, model_of(release)):
        raise Problem(
            404, t("The model {name} is not loaded.", name=repr(model[:80])),
            t("Ask for {release}, or activate another release.", release=release),
            param="model", code="model_not_found",
        )  # fmt: skip


def drafts_of(asked: ChatRequest | CompletionRequest, writer: Writer, config: ServeConfig) -> list[Draft]:
    """The answers that a request wants: n to the first prompt, then n to the next.

    Raises:
        Problem: 400 if the prompt is no conversation, is too long, or wants what is not supported.
    """
    prompts = (
        _chat_prompts(asked, writer, config) if isinstance(asked, ChatRequest) else _bare_prompts(asked, writer, config)
    )
    bound = constraint_of(asked.response_format, writer)
    return [
        Draft(ids, _decoding(asked, writer, config, len(ids), number), bound.start() if bound else None, asked=text)
        for text, ids in prompts
        for number in range(asked.choices)
    ]


def constraint_of(response_format: dict[str, Any] | None, writer: Writer) -> Compiled | None:
    """What keeps an answer in the form that a request wants; what the task says where it wants none.

    Beside OpenAI's types json_object and json_schema there are choices and regex, each with a field of its name.

    Raises:
        Problem: 400 if there is no such form, or no answer can have it.
    """
    kind = (response_format or {}).get("type", "text")
    if kind == "text":
        return writer.constraint
    wanted = {
        "json_object": lambda asked: {"json_schema": {"type": "object"}},
        "json_schema": lambda asked: {"json_schema": asked["json_schema"]["schema"]},
        "choices": lambda asked: {"choices": asked["choices"]},
        "regex": lambda asked: {"regex": asked["regex"]},
    }
    try:
        return writer.bound_by(wanted[kind](response_format)).constraint
    except (KeyError, TypeError):
        raise Problem(
            400, t("This response_format is not supported."),
            t("Its type is one of: {known}.", known=", ".join(["text", *wanted])),
            param="response_format", code="unsupported_parameter",
        ) from None  # fmt: skip
    except (ConfigError, ModelError) as error:
        raise Problem(400, error.problem, error.hint, param="response_format", code="invalid_value") from None


def prompt_of(messages: Any, writer: Writer, config: ServeConfig, *, status: int = 400) -> Input:
    """The canonical text of what was said: a list of messages, or a text, which is what one user says.

    Raises:
        Problem: with `status` if it is no conversation or too long.
    """
    if isinstance(messages, list) and len(messages) > config.max_messages:
        raise Problem(
            status, t("{count} messages are more than a conversation may have.", count=len(messages)),
            t("Send at most {limit}.", limit=config.max_messages), param="messages",
        )  # fmt: skip
    for each in messages if isinstance(messages, list) else ():
        _check_length(each.get("content") if isinstance(each, dict) else None, config, status, "messages")
        if (
            isinstance(each, dict)
            and isinstance(each.get("content"), list)
            and any(not isinstance(part, dict) or part.get("type") != "text" for part in each["content"])
        ):
            raise Problem(
                status, t("Only text is supported, no images, sounds or files."),
                t("Send content as a text, or as a list of parts of type text."), param="messages",
            )  # fmt: skip
    try:
        prompt: Input = writer.task.parse_input(messages, None)[0]
    except ValueError as error:
        raise Problem(status, t("The messages are wrong: {reason}.", reason=str(error)),
                      t("See /docs for what this route takes."), param="messages") from None  # fmt: skip
    return prompt


def own_drafts(prompts: Sequence[Input], writer: Writer, seed: int | None = None) -> tuple[list[Draft], list[bool]]:
    """Answers as the task writes them, and whether the beginning of each prompt was cut off.

    Args:
        seed: of the first answer, where the task draws by chance; each further one has the next.

    Raises:
        Problem: 400 if a prompt leaves no room for an answer.
    """
    ids, cut = writer.prompts(prompts)
    if any(_room(writer, len(each), 1) < 1 for each in ids):
        raise too_long()
    own, bound = writer.own_decoding, writer.constraint
    settings = [
        replace(own, max_tokens=_room(writer, len(each), own.max_tokens), seed=None if seed is None else seed + number)
        for number, each in enumerate(ids)
    ]
    return [
        Draft(each, decoding, bound.start() if bound else None, asked=prompt)
        for prompt, each, decoding in zip(prompts, ids, settings, strict=True)
    ], cut


async def collect(scheduler: Scheduler, lane: Lane, drafts: Sequence[Draft], deadline_s: float) -> list[list[Piece]]:
    """The pieces of each answer, when all are finished.

    Raises:
        Problem: if the queue is full, the deadline passes or the model fails.
    """
    pieces: list[list[Piece]] = [[] for _ in drafts]
    async with aclosing(scheduler.write(lane, drafts, deadline_s)) as told:
        async for number, piece in told:
            pieces[number].append(piece)
    return pieces


def predictions_of(
    writer: Writer, drafts: Sequence[Draft], pieces: Sequence[Sequence[Piece]], cut: Sequence[bool] | None = None
) -> list[Prediction]:
    """Finished answers as predictions, after the rules; what a rule has kept back is told nowhere."""
    written = as_scores(
        Written("".join(piece.text for piece in parts), finished=parts[-1].finish == "stop") for parts in pieces
    )
    return discreet(writer.final([draft.asked for draft in drafts], writer.task.predictions(written, cut)))


def ruled_pieces(writer: Writer, drafts: Sequence[Draft], pieces: list[list[Piece]]) -> list[list[Piece]]:
    """The pieces of finished answers; of one that a rule has changed, a single one."""
    if not writer.has_rules:
        return pieces
    found = []
    for parts, final in zip(pieces, predictions_of(writer, drafts, pieces), strict=True):
        told = tuple(reason.to_json() for reason in final.because)
        if final.label == "".join(piece.text for piece in parts):
            found.append([*parts[:-1], parts[-1]._replace(because=told)])
        else:
            found.append([Piece(str(final.label), finish=parts[-1].finish, because=told)])
    return found


async def told_at_once(
    scheduler: Scheduler, lane: Lane, drafts: Sequence[Draft], deadline_s: float
) -> AsyncGenerator[tuple[int, Piece], None]:
    """The pieces of a stream where rules have the last word: they judge whole answers, so nothing is said before."""
    whole = ruled_pieces(lane.writer, drafts, await collect(scheduler, lane, drafts, deadline_s))
    for number, parts in enumerate(whole):
        for piece in parts:
            yield number, piece


async def stream(form: Form, told: AsyncIterator[tuple[int, Piece]]) -> AsyncIterator[bytes]:
    """Server-sent events of the answers, as they are written; empty where a piece says nothing yet."""
    begun: set[int] = set()
    async for number, piece in told:
        first = b"" if number in begun else form.beginning(number)
        begun.add(number)
        yield first + form.piece(number, piece)
    if form.counts:
        yield form.count()


def _chat_prompts(asked: ChatRequest, writer: Writer, config: ServeConfig) -> list[tuple[Input, list[int]]]:
    prompt = prompt_of(asked.messages, writer, config)
    try:
        ids, cut = writer.prompts([prompt])
    except ModelError as error:  # the template may refuse a conversation
        raise Problem(400, error.problem, error.hint, param="messages") from None
    if cut[0]:
        raise too_long("messages")
    return [(prompt, ids[0])]


def _bare_prompts(asked: CompletionRequest, writer: Writer, config: ServeConfig) -> list[tuple[Input, list[int]]]:
    if len(asked.prompts) * asked.choices > MOST_CHOICES:
        raise Problem(
            400, t("{count} answers are more than one request may ask for.", count=len(asked.prompts) * asked.choices),
            t("Ask for at most {limit}.", limit=MOST_CHOICES), param="prompt",
        )  # fmt: skip
    found: list[tuple[Input, list[int]]] = []
    for text in asked.prompts:
        _check_length(text, config, 400, "prompt")
        ids = writer.tokenizer.bare(text)
        if not ids:
            raise Problem(400, t("The prompt is empty."), t("Send a text to be continued."), param="prompt")
        found.append((writer.task.parse_input(text, None)[0], ids))
    return found


def _decoding(asked: WritingOptions, writer: Writer, config: ServeConfig, prompt_tokens: int, number: int) -> Decoding:
    """What the request does not say is as the model was evaluated."""
    own = writer.own_decoding
    most = max(config.max_answer_tokens, own.max_tokens)
    wanted = asked.most_tokens
    if wanted is not None and wanted > most:
        raise Problem(
            400, t("{count} tokens of an answer are more than this server allows.", count=wanted),
            t("Ask for at most {limit}.", limit=most), param="max_tokens",
        )  # fmt: skip
    room = _room(writer, prompt_tokens, wanted or own.max_tokens)
    if room < (wanted or 1):
        raise too_long("messages" if isinstance(asked, ChatRequest) else "prompt")
    given = {
        name: value
        for name in ("temperature", "top_p", "top_k", "repetition_penalty")
        if (value := getattr(asked, name)) is not None
    }
    if given.get("temperature", 1.0) < LEAST_TEMPERATURE:
        given["temperature"] = 0.0
    seed = None if asked.seed is None else (asked.seed + number) % (1 << 63)
    return replace(own, max_tokens=room, seed=seed, stop=asked.stops, likeliest=asked.likeliest, **given)


def _room(writer: Writer, prompt_tokens: int, wanted: int) -> int:
    """Tokens of an answer that fit behind a prompt."""
    return min(wanted, writer.context_tokens - prompt_tokens)


def _check_length(content: Any, config: ServeConfig, status: int, param: str) -> None:
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if isinstance(content, str) and len(content) > config.max_text_chars:
        raise Problem(
            status, t("A text of {count} characters is too long.", count=len(content)),
            t("Send at most {limit} characters per text.", limit=config.max_text_chars),
            param=param, code="string_above_max_length",
        )  # fmt: skip
