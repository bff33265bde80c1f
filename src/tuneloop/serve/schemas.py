"""What a client sends and gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuneloop.core.deployment import ServeConfig
from tuneloop.core.errors import DataError, TuneloopError
from tuneloop.core.fusion import TEXT_ALONE
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input, as_input
from tuneloop.media.decode import check
from tuneloop.media.items import compose, parse
from tuneloop.media.store import DATA_URI, fetch, remember
from tuneloop.serve.problems import Problem

Keep = Callable[[bytes], str]
"""Keeps a file, and says what it is found by."""

TAG = re.compile(r"[a-z][a-z0-9_.-]{0,31}")
MOST_TAGS, MOST_TAG_CHARS = 8, 64


class Beside(BaseModel):
    """What a model of several modalities reads beside a text; what is not there is left out."""

    image: str | None = Field(None, description="An image as a data URI: data:image/png;base64,...")
    audio: str | None = Field(None, description="A sound as a data URI: data:audio/wav;base64,...")
    tabular: dict[str, str | float | int] | None = Field(None, description="Values by their columns.")

    @property
    def has_more(self) -> bool:
        """Whether there is more than a text."""
        return not (self.image is None and self.audio is None and self.tabular is None)


class Item(Beside):
    """A text, and the second text where the model judges pairs; or what a model of several modalities judges."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(None, description="The text to judge.")
    pair: str | None = Field(
        None, description="The second text, for models that judge pairs; choices stand one per line."
    )


class PredictRequest(Beside):
    """Either one `text` (with its `pair`, or with what else there is of it), or several `texts`."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"text": "a text"}, {"texts": ["one", "two"]}]}
    )

    text: str | None = Field(None, description="The text to judge.")
    pair: str | None = Field(
        None, description="The second text, for models that judge pairs; choices stand one per line."
    )
    texts: list[str | Item] | None = Field(
        None, min_length=1, description="Several texts, or objects of text and pair."
    )
    messages: list[dict[str, Any]] | None = Field(
        None, description="For models that write, instead of a text: a conversation, objects of role and content."
    )
    release: str | None = Field(
        None, description="The release that is asked, where several answer side by side; the first by default."
    )
    tags: dict[str, str] = Field(
        default_factory=dict,
        description="What events of this request are told apart by later, such as {country: de}; at most 8, short.",
    )


class SpanOut(BaseModel):
    """A stretch of the text."""

    start: int = Field(description="Its first character, counted from 0.")
    end: int = Field(description="The character after its last one.")
    label: str = Field(description="What it is called, or what it says.")
    probability: float


class ReasonOut(BaseModel):
    """A rule that changed the model's answer, or that asks a person to look at it."""

    rule: str = Field(description="Its name.")
    before: str | list[str] | float = Field(description="The answer before it.")
    after: str | list[str] | float = Field(description="The answer after it.")
    matched: str = Field(description="The stretch of the text that made it hold; empty where none did.")
    because: str = Field(description="What the author of the rule says.")
    hard: bool = Field(description="Whether no answer may ever break it.")
    flag: bool = Field(description="Whether a person should look, nothing being changed.")


class PredictionOut(BaseModel):
    """One answer."""

    label: str | list[str] | list[SpanOut] | float = Field(
        description="The class, the classes, the stretches of the text, the number, or the text that was written."
    )
    probabilities: dict[str, float] = Field(description="Probability of each class; empty for numbers and stretches.")
    truncated: bool = Field(description="Whether the text was longer than the model reads.")
    because: list[ReasonOut] | None = Field(
        None, description="Rules that made the label another one than the model's; missing where there were none."
    )
    outside: float | None = Field(
        None, description="How unlike the model's own texts it is, 0 to 1; missing where the release cannot tell."
    )
    abstained: bool | None = Field(
        None, description="Whether it is too unlike them for the label to be acted on; missing where outside is."
    )
    set: list[str] | None = Field(
        None, description="Classes of which one is right as often as was promised; missing where nothing was."
    )


class PredictResponse(BaseModel):
    """The answers, in the order of the texts, all from one release."""

    release: str = Field(description="The release that answered.")
    predictions: list[PredictionOut]


class ReleaseOut(BaseModel):
    """A release that exists."""

    id: str
    created: str
    engine: str = Field(description="The engine that was fastest when the release was made.")
    loaded: bool


class LoadedOut(BaseModel):
    """A release that answers now."""

    id: str
    engine: str = Field(description="The engine that runs it.")
    task: str
    labels: list[str]
    batch_effect: float | None = Field(description="Largest change of a score through neighbours in a batch.")
    warnings: list[str] = Field(description="What a user of the answers should know.")


class ModelOut(BaseModel):
    """The release that answers now, as OpenAI's interface lists models."""

    id: str
    object: str = "model"
    created: int = Field(description="When it was made, seconds since 1970.")
    owned_by: str = "tuneloop"


class DeploymentOut(BaseModel):
    """What is deployed of the model that the server follows."""

    name: str
    current: str | None = Field(description="The release that should answer.")
    before: str | None = Field(description="The release that a rollback goes to.")
    candidate: str | None = Field(description="The release that is being tried.")
    stage: str | None = Field(description="shadow or canary.")
    share: float | None = Field(description="Of the requests that it is given.")
    problem: str | None = Field(description="Why another release answers than the current one.")


class ModelsResponse(BaseModel):
    """What answers, and what could."""

    loaded: LoadedOut | None
    beside: list[LoadedOut] = Field(description="Releases that answer those who name them.")
    releases: list[ReleaseOut]
    object: str = "list"
    data: list[ModelOut] = Field(description="What answers, as OpenAI's interface lists it.")
    deployment: DeploymentOut | None = Field(None, description="What is deployed, where the server follows that.")


class StateOut(BaseModel):
    """What the server is doing."""

    state: str = Field(description="loading, ready or draining.")
    problem: str | None = Field(None, description="Why another release answers than the one that is deployed.")


class ProblemOut(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong.")
    hint: str = Field(description="What to do about it.")


@dataclass(frozen=True)
class Asked:
    """What a body of /v1/predict asks.

    Args:
        items: texts and pairs; for a model that writes also a conversation as a list of messages.
        tags: of the request.
    """

    items: list[Any]
    tags: dict[str, str]


def read_request(body: bytes) -> PredictRequest:
    """The body of /v1/predict.

    Raises:
        Problem: 400 if it is not JSON, 422 if it does not fit.
    """
    try:
        return PredictRequest.model_validate_json(body)
    except ValidationError as failure:
        raise misfit(failure.errors(include_url=False, include_input=False)[0], _example()) from None


def parse_request(
    asked: PredictRequest,
    *,
    config: ServeConfig,
    takes_pairs: bool,
    writes: bool = False,
    reads: tuple[str, ...] = TEXT_ALONE,
    keep: Keep = remember,
) -> Asked:
    """What a model is asked.

    Args:
        reads: modalities that the model reads.
        keep: where the files in it are kept; returns what each is found by.

    Raises:
        Problem: 413 if it holds too much, 422 if it does not fit the model.
    """
    _check_tags(asked.tags)
    if asked.messages is not None:
        if not writes:
            raise Problem(422, t("This model judges texts, not conversations."), _example())
        if asked.text is not None or asked.texts is not None:
            raise Problem(422, t("Send either text or texts."), _example())
        return Asked([asked.messages], asked.tags)
    single = asked.text is not None or asked.has_more
    if single == (asked.texts is not None) or (asked.pair is not None and asked.text is None):
        raise Problem(422, t("Send either text or texts."), _example())
    one = Item(text=asked.text, pair=asked.pair, image=asked.image, audio=asked.audio, tabular=asked.tabular)
    items = [one] if single else [Item(text=each) if isinstance(each, str) else each for each in asked.texts or []]
    limit = min(config.max_texts, config.max_queue)
    if len(items) > limit:
        raise Problem(
            413,
            t("{count} texts are more than one request may hold.", count=len(items)),
            t("Send at most {limit} texts at once.", limit=limit),
        )
    for number, item in enumerate(items):
        _check_item(item, number, config.max_text_chars, takes_pairs=takes_pairs, reads=reads)
    inputs = [judged(item, item.text, item.pair, reads=reads, takes_pairs=takes_pairs, keep=keep) for item in items]
    return Asked(inputs, asked.tags)


def _check_tags(tags: dict[str, str]) -> None:
    fits = all(TAG.fullmatch(name) and 0 < len(value) <= MOST_TAG_CHARS for name, value in tags.items())
    if not fits or len(tags) > MOST_TAGS:
        raise Problem(
            422,
            t("The tags are too many, too long or not named as tags are."),
            t(
                "Send at most {count}: names of small letters, digits, dots, dashes or underscores, values of at most "
                "{chars} characters.",
                count=MOST_TAGS,
                chars=MOST_TAG_CHARS,
            ),
        )


def _check_item(item: Item, number: int, limit: int, *, takes_pairs: bool, reads: tuple[str, ...]) -> None:
    if item.text is None and reads == TEXT_ALONE and not item.has_more:
        field = f"texts.{number}.text"
        raise Problem(422, t("The field {field} is missing or of the wrong type.", field=field), _example())
    if max(len(item.text or ""), len(item.pair or "")) > limit:
        raise Problem(
            413,
            t("Text {number} is too long.", number=number),
            t("Send at most {limit} characters per text.", limit=limit),
        )
    if takes_pairs != (item.pair is not None or (takes_pairs and item.has_more)):
        detail = (
            t("Text {number} has no pair, and this model judges pairs.", number=number)
            if takes_pairs
            else t("Text {number} has a pair, and this model judges single texts.", number=number)
        )
        raise Problem(422, detail, _example())


def judged(
    given: Beside, text: str | None, pair: str | None, *, reads: tuple[str, ...], takes_pairs: bool, keep: Keep
) -> Input:
    """What the model judges: a text, a pair, or of a model of several modalities an item (see `media.items`).

    Of one that judges pairs, what is beside the text is what is to be found by it. A text is never taken for an item,
    whatever it looks like: what stands in one could be anything of the server's files.

    Raises:
        Problem: 422 if the model does not read what is given, a file is no data URI, or cannot be decoded.
    """
    if reads == TEXT_ALONE:
        if given.has_more:
            raise Problem(422, t("This model judges texts alone."), _example())
        return as_input(text or "", pair)
    if not takes_pairs:
        return _read(mixed(given, text, keep), reads)
    return _read(mixed(Beside(), text, keep), reads), _read(mixed(given, pair, keep), reads)


def _read(item: str, reads: tuple[str, ...]) -> str:
    found = set(parse(item))
    if not found or not found <= set(reads):
        raise Problem(
            422,
            t("This model judges {known}, and was given {found}.", known=", ".join(reads),
              found=", ".join(sorted(found)) or t("nothing")),
            _example(),
        )  # fmt: skip
    return item


def mixed(given: Beside, text: str | None, keep: Keep) -> str:
    """A text and what a request has beside it as one item: see `media.items`.

    Raises:
        Problem: 422 if a file is no data URI, or cannot be decoded.
    """
    parts: dict[str, Any] = {"text": text, "tabular": given.tabular}
    for kind, uri in (("image", given.image), ("audio", given.audio)):
        if uri is None:
            continue
        try:
            if not DATA_URI.match(uri):
                raise DataError(t("It is no data URI."), t("Write it as data:image/png;base64,..."))
            check(kind, data := fetch(uri, []))
        except TuneloopError as error:
            raise Problem(422, f"{kind}: {error.problem}", error.hint) from None
        parts[kind] = keep(data)
    return compose(parts)


def misfit(error: Any, hint: str) -> Problem:
    """What is wrong with a body, from the first error that pydantic tells of it."""
    if error["type"] == "json_invalid":
        return Problem(400, t("The body is not valid JSON: {reason}", reason=error["ctx"]["error"]), hint)
    place = [str(part) for part in error["loc"] if part not in ("str", "Item")]
    field = ".".join(place)
    if error["type"] == "extra_forbidden":
        return Problem(422, t("There is no field {field}.", field=field[:80]), hint)
    if not place:
        return Problem(422, t("The body must be a JSON object."), hint)
    return Problem(422, t("The field {field} is missing or of the wrong type.", field=field[:80]), hint)


def _example() -> str:
    return t('Send {"text": "..."} or {"texts": ["...", "..."]}, for pairs {"text": "...", "pair": "..."}; see /docs.')
