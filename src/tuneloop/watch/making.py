"""From an answer to what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuneloop.core.hashing import canonical_json
from tuneloop.core.watching import WatchConfig
from tuneloop.data.examples import Input
from tuneloop.data.personal_data import redact
from tuneloop.data.text_statistics import script
from tuneloop.watch.base import Event

if TYPE_CHECKING:
    from tuneloop.tasks.base import Prediction

LANGUAGES = {"han": "zh", "mixed": "zh", "latin": "en"}
HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered text as the server has it: of what is kept, only what costs nothing is known.

    Args:
        id: of the event.
        at: seconds since 1970, UTC.
        release: what answered.
        item: the text, or the text and its pair.
        prediction: the answer.
        took_ms: from the arrival of the request to its answer.
        labels: classes of the release; what is none of them may be a stretch of the request, and is not kept.
        vector: what the last layer received, (hidden,); None where that is not wanted or not told.
        tags: of the request.
    """

    id: str
    at: float
    release: str
    item: Input
    prediction: Prediction
    took_ms: float
    labels: Collection[str] = ()
    vector: Any = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def chars(self) -> int:
        """Characters of the text and its pair."""
        return len(self.item) if isinstance(self.item, str) else sum(map(len, self.item))


class EventMaker:
    """Makes events, with no more in them than the configuration allows.

    Args:
        config: what is kept.
        secret: of the workspace, by which hashes are keyed: telephone numbers are few enough to try them all.
    """

    def __init__(self, config: WatchConfig, secret: bytes) -> None:
        self._config, self._secret = config, secret

    def __call__(self, answered: Answered) -> Event:
        text, pair = (answered.item, None) if isinstance(answered.item, str) else answered.item
        found, keeps = answered.prediction, self._config.events == "texts"
        label = found.label if isinstance(found.label, str) and found.label in answered.labels else None
        known = all(name in answered.labels for name in found.probabilities)
        probabilities = {name: float(share) for name, share in found.probabilities.items()} if known else {}
        return Event(
            id=answered.id,
            at=answered.at,
            release=answered.release,
            hash=self.hash_of([text, pair]),
            label=label,
            confidence=max(map(float, found.probabilities.values()), default=None),
            probabilities=probabilities,
            chars=answered.chars,
            language=language_of(text),
            took_ms=round(answered.took_ms, 3),
            text=self.shown(text) if keeps else None,
            pair=self.shown(pair) if keeps and pair is not None else None,
            vector=None if answered.vector is None else tuple(answered.vector.tolist()),
            abstained=found.abstained,
            rules=tuple(dict.fromkeys(reason.rule for reason in found.because if not reason.flag)),
            tags={name: self.shown(value) for name, value in answered.tags.items()},
        )

    def hash_of(self, value: Any) -> str:
        """BLAKE2b of a JSON value, keyed, 32 hexadecimal digits."""
        return hashlib.blake2b(canonical_json(value), key=self._secret, digest_size=HASH_BYTES).hexdigest()

    def shown(self, text: str) -> str:
        """A text as it may be kept, of signs that every database takes."""
        left = text if self._config.raw else redact(text)
        return left.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def language_of(text: str) -> str:
    """ "en", "zh" or "other", by its characters."""
    return LANGUAGES.get(script(text), "other")
