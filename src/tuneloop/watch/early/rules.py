"""Early warnings as they stand in a YAML file, and what they find in events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, model_validator

from tuneloop.core.config import parse_options
from tuneloop.core.errors import ConfigError, MissingExtraError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.data.units import HAN
from tuneloop.watch.alerts.base import Alert
from tuneloop.watch.base import Event
from tuneloop.watch.drift.vocabulary import text_of
from tuneloop.watch.early.burst import Burst

MONTH_S = 30 * 86_400


class Warn(Options):
    """One early warning."""

    name: str = Field(min_length=1, description="What it is called in alerts.")
    words: tuple[str, ...] = Field((), description="Names and words of what is watched; one of them must be there.")
    regex: str = Field("", description="Or an expression (RE2) that must be found.")
    labels: tuple[str, ...] = Field(min_length=1, description="The answers that count, such as negative.")
    every_s: float = Field(3600.0, ge=60, le=MONTH_S / 30, description="Seconds whose texts are counted together.")
    false_alarms_per_month: float = Field(1.0, gt=0, description="False alarms in 30 days that are borne, on average.")

    @model_validator(mode="after")
    def _looks_for_something(self) -> Self:
        if bool(self.words) == bool(self.regex) or not all(map(str.strip, self.words)):
            raise ValueError(t("give either words or regex"))
        return self

    @property
    def bar(self) -> float:
        """Buckets of time from one false alarm to the next."""
        return MONTH_S / self.every_s / self.false_alarms_per_month


class WarnFile(Options):
    """What a file of early warnings holds."""

    warnings: tuple[Warn, ...] = Field(min_length=1, description="The early warnings.")


@dataclass(frozen=True)
class Warned:
    """A burst.

    Args:
        name: of the early warning.
        at: seconds since 1970, UTC: the end of the bucket of time in which it was sure.
        since: the beginning of the first bucket with more than expected.
        hits: texts that counted from there to there.
        expected: as many were to be expected.
        events: their ids, the newest first, ten at most.
    """

    name: str
    at: float
    since: float
    hits: int
    expected: float
    events: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "events": list(self.events), "expected": round(self.expected, 2)}

    @staticmethod
    def sentence(found: dict[str, Any]) -> str:
        """It in words, in the language in force."""
        return t(
            "{name}: {hits} texts where about {expected:.1f} were to be expected",
            name=found["name"], hits=found["hits"], expected=found["expected"],
        )  # fmt: skip

    @staticmethod
    def alert(found: dict[str, Any], release: str) -> Alert:
        """What is told of it: the same alert however often the same burst of a release, or a model, is found."""
        about = f"warning {found['name']}"
        key = hash_json([release, about, found["at"]])[:24]
        return Alert(key, about, release, found["at"], Warned.sentence(found), found)


def read_warnings(path: Path) -> tuple[Warn, ...]:
    """The early warnings of a file.

    Raises:
        ConfigError: if it cannot be read, or something in it is wrong.
        MissingExtraError: if it has expressions and the package for them is not installed.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            t("The early warnings in {path} cannot be read: {error}.", path=path, error=error), t("Mend the file.")
        ) from None
    if not isinstance(plain, dict):
        raise ConfigError(
            t("{path} holds no early warnings.", path=path), t("Begin it with the line warnings: and a list below.")
        )
    found = parse_options(WarnFile, plain, where=str(path)).warnings
    names = [each.name for each in found]
    if len(set(names)) < len(names):
        raise ConfigError(t("{path}: two early warnings have one name.", path=path), t("Give each a name of its own."))
    for each in found:
        matcher(each)
    return found


def matcher(warn: Warn) -> Callable[[str], bool]:
    """Tells texts that an early warning is about.

    Raises:
        ConfigError: if its expression is none.
        MissingExtraError: if the package for expressions is not installed.
    """
    if warn.words:
        spaced = f"[^\\W{HAN}]"  # a letter of a script whose words have borders
        borders = [
            (f"(?<!{spaced})" if re.match(spaced, word) else "")
            + re.escape(word)
            + (f"(?!{spaced})" if re.match(spaced, word[-1]) else "")
            for word in map(str.strip, warn.words)
        ]
        words = re.compile("|".join(borders), re.IGNORECASE)
        return lambda text: words.search(text) is not None
    try:
        import re2
    except ImportError:
        raise MissingExtraError("google-re2", "knowledge") from None
    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile(warn.regex, options)
    except re2.error as error:
        raise ConfigError(
            t("The expression of the early warning {name} is wrong: {error}.", name=warn.name, error=error),
            t("Expressions are those of RE2, without lookarounds."),
        ) from None
    return lambda text: expression.search(text) is not None


def bursts(warn: Warn, events: Sequence[Event], *, about: Callable[[Event], bool] | None = None) -> list[Warned]:
    """Every burst that an early warning finds, in order.

    Args:
        events: in any order; those without a text count as texts that are not about it. The bucket of time of the
            newest one is not over, so it is not looked at.
        about: tells the events that the warning is about, in the place of its words.
    """
    if not events:
        return []
    about = about or _says(warn)
    # only times in which there were texts: a clock that was wrong for a while would leave millions without any
    buckets: dict[int, tuple[int, list[Event]]] = {}
    for event in sorted(events, key=lambda event: event.at):
        texts, hits = buckets.setdefault(int(event.at // warn.every_s), (0, []))
        if event.label in warn.labels and about(event):
            hits.append(event)
        buckets[int(event.at // warn.every_s)] = (texts + 1, hits)
    return list(_found(warn, list(buckets.items())[:-1]))


def _says(warn: Warn) -> Callable[[Event], bool]:
    """Tells events whose text has the words of an early warning."""
    fits = matcher(warn)

    def says(event: Event) -> bool:
        text = text_of(event)
        return text is not None and fits(text)

    return says


def _found(warn: Warn, buckets: Sequence[tuple[int, tuple[int, list[Event]]]]) -> list[Warned]:
    burst, found = Burst(warn.bar), []
    expected: list[float] = []
    for number, (time, (texts, hits)) in enumerate(buckets):
        seen = burst.add(len(hits), texts)
        expected.append(seen.expected)
        if not seen.alarm:
            continue
        begin = number + 1 - max(1, seen.since)
        own = [event for _, (_, each) in buckets[begin : number + 1] for event in each]
        found.append(
            Warned(
                name=warn.name,
                at=(time + 1) * warn.every_s,
                since=buckets[begin][0] * warn.every_s,
                hits=len(own),
                expected=sum(expected[begin:]),
                events=tuple(event.id for event in own[:-11:-1]),
            )
        )
    return found
