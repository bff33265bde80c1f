"""What is known of one served answer, and of what people said of it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One answered text.

    Args:
        id: the request's, a dot, the number of the text in it; feedback names it.
        at: seconds since 1970, UTC, by the server's clock.
        release: what answered.
        hash: BLAKE2b of the text, keyed by the workspace, hexadecimal: equal texts are told, the text is not.
        label: what was answered; None where that is no class.
        confidence: the largest probability; None where there are none.
        probabilities: by class.
        chars: characters of the text.
        language: "en", "zh" or "other", by its characters.
        took_ms: from the arrival of the request to its answer.
        text: the text itself, where the configuration keeps texts.
        pair: its second text.
        vector: what the last layer receives, where the configuration keeps vectors and the engine tells them.
        abstained: whether the release refused.
        rules: names of the rules that had the last word.
        tags: what the client says of the request, such as {"country": "de"}: slices.
        number: its place in the store, from 1 upwards whatever the clock does; 0 before it is there.
    """

    id: str
    at: float
    release: str
    hash: str
    label: str | None
    confidence: float | None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    chars: int = 0
    language: str = "other"
    took_ms: float = 0.0
    text: str | None = None
    pair: str | None = None
    vector: tuple[float, ...] | None = None
    abstained: bool = False
    rules: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    number: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Feedback:
    """What somebody says is right.

    Args:
        key: of the client, under which the same feedback may be sent again without counting twice.
        event: the id of the event.
        label: the right answer; None where only `good` is known.
        good: whether the answer was right; None where only the right one is known.
        at: seconds since 1970, UTC.
        by: who says so.
        comment: in their words.
        digest: keyed hash of what was sent, which tells a repetition from something else under the same key.
        number: its place in the store, from 1 upwards; 0 before it is there.
    """

    key: str
    event: str
    label: str | None
    good: bool | None
    at: float
    by: str = ""
    comment: str = ""
    digest: str = ""
    number: int = field(default=0, compare=False)
