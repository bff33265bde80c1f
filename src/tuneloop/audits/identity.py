"""Terms that name who somebody is, and texts that differ in nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.units import is_han

CARRIES_NO_NOUN = frozenset(
    (
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "if",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "of",
        "off",
        "on",
        "out",
        "to",
        "up",
        "with",
    )
)
"""Words behind "her" that tell that it is "him", not "his"."""


@dataclass(frozen=True)
class Group:
    """Terms of one group in one language; the term at a place means the same in every group of its dimension.

    Args:
        terms: what is found and exchanged in texts.
        people: what stands for somebody of the group in a frame.
    """

    terms: tuple[str, ...]
    people: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """What is exchanged.

    Args:
        dimensions: by name and language ("en", "zh") the groups by name.
        exceptions: by language, words that hold a term and are none.
        frames: by language, sentences around `{person}` and `{text}`.
        carriers: by language, sentences about `{person}` that say nothing good or bad.
    """

    dimensions: Mapping[str, Mapping[str, Mapping[str, Group]]]
    exceptions: Mapping[str, Sequence[str]]
    frames: Mapping[str, Sequence[str]]
    carriers: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Unit:
    """One text for each group of a dimension, alike but for the terms.

    Args:
        origin: the test row, or "frame" or "carrier".
        versions: by group.
        terms: by group, the terms in it.
    """

    origin: str
    versions: Mapping[str, Input]
    terms: Mapping[str, tuple[str, ...]]


def load_terms(path: Path | None = None) -> Terms:
    """The terms that come with tuneloop, with the dimensions of a file of one's own added or in their place.

    Raises:
        ConfigError: if the file cannot be read, or the terms of groups do not correspond.
    """
    raw = json.loads(resources.files("tuneloop.audits").joinpath("identity.json").read_text(encoding="utf-8"))
    dimensions = dict(raw["dimensions"])
    if path is not None:
        dimensions |= _own(path)
    return Terms(
        {name: _dimension(name, each, path) for name, each in dimensions.items()},
        raw["exceptions"],
        raw["frames"],
        raw["carriers"],
    )


def language_of(text: str) -> str:
    """zh where a fifth of the characters are Chinese, else en."""
    return "zh" if 5 * sum(map(is_han, text)) >= max(len(text), 1) else "en"


def swapped(item: Input, groups: Mapping[str, Group], exceptions: Sequence[str]) -> Unit | None:
    """An input with its terms exchanged for those of every group; None where it names no group or several."""
    texts = (item,) if isinstance(item, str) else item
    pattern = _pattern(groups, exceptions)
    named: dict[str, list[str]] = {}
    for text in texts:
        for match in pattern.finditer(text):
            owner = _owner(match.group(), groups)
            if owner:
                named.setdefault(owner, []).append(match.group())
    if len(named) != 1:
        return None
    ((owner, _),) = named.items()
    versions: dict[str, Input] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name in groups:
        used: list[str] = []
        sides = [_exchanged(text, pattern, groups, owner, name, used) for text in texts]
        versions[name] = sides[0] if isinstance(item, str) else (sides[0], sides[1])
        terms[name] = tuple(used)
    return Unit("row", versions, terms)


def framed(frame: str, item: Input, groups: Mapping[str, Group], number: int, *, origin: str) -> Unit:
    """A sentence in which somebody of each group stands: around a text, or a sentence of its own."""
    text = item if isinstance(item, str) else item[0]
    versions: dict[str, Input] = {}
    terms: dict[str, tuple[str, ...]] = {}
    for name, group in groups.items():
        person = group.people[number % len(group.people)]
        whole = frame.format(person=person, text=text)
        whole = whole[0].upper() + whole[1:] if frame.startswith("{person}") else whole
        versions[name] = whole if isinstance(item, str) else (whole, item[1])
        terms[name] = (person,)
    return Unit(origin, versions, terms)


def _exchanged(
    text: str, pattern: re.Pattern[str], groups: Mapping[str, Group], owner: str, name: str, used: list[str]
) -> str:
    def other(match: re.Match[str]) -> str:
        found = match.group()
        if _owner(found, groups) != owner:
            return found
        lower = [term.lower() for term in groups[owner].terms]
        term = groups[name].terms[lower.index(found.lower())] if name != owner else found
        if name != owner and found.lower() == "her" and term == "his" and not _has_noun(text[match.end() :]):
            term = "him"
        used.append(term.lower())
        return _cased(term, found)

    return _articles(pattern.sub(other, text), groups[name].terms)


def _has_noun(rest: str) -> bool:
    """Whether a word follows that "her" can belong to."""
    following = re.match(r"\s+([A-Za-z]+)", rest)
    return following is not None and following[1].lower() not in CARRIES_NO_NOUN


def _cased(term: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return term.upper()
    return term[0].upper() + term[1:] if like[0].isupper() else term


def _articles(text: str, terms: Sequence[str]) -> str:
    """ "a" or "an" as the term behind it wants."""
    names = "|".join(re.escape(term) for term in terms)
    return re.sub(
        rf"\b([Aa])n? (?=(?:{names})\b)",
        lambda match: match[1] + ("n " if text[match.end()].lower() in "aeiou" else " "),
        text,
        flags=re.IGNORECASE,
    )


def _owner(found: str, groups: Mapping[str, Group]) -> str:
    owners = [name for name, group in groups.items() if found.lower() in {term.lower() for term in group.terms}]
    return owners[0] if len(owners) == 1 else ""


def _pattern(groups: Mapping[str, Group], exceptions: Sequence[str]) -> re.Pattern[str]:
    """Finds every term, the longest first, and exceptions before them."""
    terms = sorted({term for group in groups.values() for term in group.terms}, key=lambda term: (-len(term), term))
    parts = [re.escape(each) for each in exceptions]
    parts += [re.escape(term) if is_han(term[0]) else rf"\b{re.escape(term)}\b" for term in terms]
    return re.compile("|".join(parts), re.IGNORECASE)


def _own(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            t("{path} holds no terms that can be read: {error}", path=path, error=error), _form()
        ) from None
    if not isinstance(found, dict):
        raise ConfigError(t("{path} holds no dimensions of terms.", path=path), _form())
    return found


def _dimension(name: str, raw: Any, path: Path | None) -> dict[str, dict[str, Group]]:
    try:
        found = {
            language: {
                group: Group(tuple(map(str, each["terms"])), tuple(map(str, each.get("people") or each["terms"])))
                for group, each in groups.items()
            }
            for language, groups in raw.items()
        }
    except (AttributeError, KeyError, TypeError):
        raise ConfigError(t("{path}: the dimension {name} is not understood.", path=path, name=name), _form()) from None
    for language, groups in found.items():
        sizes = {len(group.terms) for group in groups.values()}
        if len(groups) < 2 or len(sizes) != 1 or 0 in sizes:
            raise ConfigError(
                t("{path}: the groups of {name} ({language}) need equally many terms.",
                  path=path, name=name, language=language),
                t("Terms at the same place of two groups are exchanged for each other."),
            )  # fmt: skip
    return found


def _form() -> str:
    return t("Write it so: {form}", form="dimension: {en: {group: {terms: [...]}, other: {terms: [...]}}}")
