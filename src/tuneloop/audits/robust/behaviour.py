"""Tests of behaviour that people write in YAML: what a model must say, must not change, or must move towards.

Minimum functionality (MFT), invariance (INV) and directional tests (DIR), templates with slots: Ribeiro et al.,
"Beyond Accuracy: Behavioral Testing of NLP Models with CheckList" (2020). The format is in docs/robustness.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.data.perturbations.base import create_perturbations
from tuneloop.knowledge.located import Item, read_located

KINDS = ("MFT", "INV", "DIR")
SOURCES = ("texts", "templates", "rows")
CHANGES = ("vary", "perturb", "append", "prepend", "replace")
FIELDS = (
    "name", "type", "capability", "slots", *SOURCES, *CHANGES, "expect", "expect_not", "max_failures", "samples",
)  # fmt: skip
SLOT = re.compile(r"\{(\w+)\}")
MAX_FAILURES, SAMPLES, TOLERANCE = 0.1, 100, 0.1

Random = Callable[[str], np.random.Generator]


@dataclass(frozen=True)
class Direction:
    """How the probability of a label must move: not the other way by more than the tolerance."""

    label: str
    up: bool
    tolerance: float


@dataclass(frozen=True)
class TestCase:
    """Texts whose answers are judged together.

    Args:
        before: the text that the others were made from; None where each is judged by itself.
        after: the others.
    """

    __test__ = False

    before: str | None
    after: tuple[str, ...]


@dataclass(frozen=True)
class BehaviourTest:
    """One test with its cases.

    Args:
        kind: one of `KINDS`.
        allowed: labels that are right, of an MFT.
        direction: of a DIR.
        max_failures: share of the cases that may fail.
    """

    name: str
    kind: str
    capability: str
    cases: tuple[TestCase, ...]
    allowed: tuple[str, ...]
    direction: Direction | None
    max_failures: float


def read_tests(path: Path, *, labels: Sequence[str], rows: Sequence[str], random: Random) -> list[BehaviourTest]:
    """The tests of a YAML file.

    Args:
        labels: that the model knows.
        rows: texts of the test split, for `rows: test`.
        random: a generator for each purpose.

    Raises:
        ConfigError: with file and line, if the file cannot be read or says something impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            t("The tests in {path} cannot be read: {error}", path=path, error=error),
            t("Set audit.options.robustness.tests to a YAML file in UTF-8."),
        ) from None
    return parse_tests(text, file=path.name, labels={label: label for label in labels}, rows=rows, random=random)


def parse_tests(
    text: str, *, file: str, labels: Mapping[str, str], rows: Sequence[str], random: Random
) -> list[BehaviourTest]:
    """The tests in a YAML text; `labels` says what the model calls each label of the file. See `read_tests`."""
    top = read_located(text, file=file).mapping(("slots", "tests"))
    if "tests" not in top:
        raise Item("", 1, file).error(t("there are no tests."), t("Add a list called tests."))
    slots = _slots(top.get("slots"))
    found: list[BehaviourTest] = []
    for item in top["tests"].items():
        test = _Reading(item, slots, labels, rows, random).test()
        if any(test.name == other.name for other in found):
            raise item.error(t("there are two tests called {name}.", name=test.name))
        found.append(test)
    return found


def _slots(item: Item | None) -> dict[str, tuple[str, ...]]:
    return {name: each.texts() for name, each in item.mapping().items()} if item else {}


@dataclass(frozen=True)
class _Reading:
    """One test of the file, being read."""

    item: Item
    common: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, str]
    rows: Sequence[str]
    random: Random

    def test(self) -> BehaviourTest:
        fields = self.item.mapping(FIELDS)
        for needed in ("name", "type"):
            if needed not in fields:
                raise self.item.error(t("the test has no {field}.", field=needed), t("Add it."))
        name, kind = fields["name"].text(), fields["type"].text()
        if kind not in KINDS:
            raise fields["type"].error(t("there is no type {kind}.", kind=kind), t("Choose MFT, INV or DIR."))
        self._check_fields(fields, kind)
        slots = {**self.common, **_slots(fields.get("slots"))}
        draw = self.random(f"behaviour {name}")
        samples = fields["samples"].whole() if "samples" in fields else SAMPLES
        if "vary" in fields:
            cases = self._varied(fields, slots, draw, samples)
        else:
            texts = self._texts(fields, slots, draw, samples)
            cases = [TestCase(None, (text,)) for text in texts]
            cases = cases if kind == "MFT" else self._changed(fields, texts, draw)
        if not cases:
            raise self.item.error(t("the test {name} has no case: nothing was changed in any text.", name=name))
        capability = fields["capability"].text() if "capability" in fields else ""
        direction = self._direction(fields["expect"]) if kind == "DIR" else None
        allowed = self._allowed(fields) if kind == "MFT" else ()
        return BehaviourTest(name, kind, capability, tuple(cases), allowed, direction, _limit(fields))

    def _check_fields(self, fields: Mapping[str, Item], kind: str) -> None:
        self._one_of(fields, SOURCES)
        if kind == "MFT":
            self._one_of(fields, ("expect", "expect_not"))
            for name in set(CHANGES) & fields.keys():
                raise fields[name].error(t("an MFT changes nothing; {field} is for INV and DIR.", field=name))
            return
        self._one_of(fields, CHANGES)
        if kind == "INV" and (odd := {"expect", "expect_not"} & fields.keys()):
            name = min(odd)
            raise fields[name].error(t("an INV asks that the answer stays; it has no {field}.", field=name))
        if kind == "DIR" and "expect" not in fields:
            raise self.item.error(t("the test has no {field}.", field="expect"), t("Add it."))
        if kind == "DIR" and "vary" in fields:
            raise fields["vary"].error(t("vary is for INV: its texts have no order."))

    def _one_of(self, fields: Mapping[str, Item], names: Sequence[str]) -> None:
        if len(set(names) & fields.keys()) != 1:
            raise self.item.error(t("exactly one of these is wanted: {names}.", names=", ".join(names)))

    def _texts(
        self, fields: Mapping[str, Item], slots: Mapping[str, tuple[str, ...]], draw: np.random.Generator, samples: int
    ) -> list[str]:
        if "texts" in fields:
            return list(fields["texts"].texts())
        if "rows" in fields:
            if fields["rows"].text() != "test":
                raise fields["rows"].error(t("rows are those of test."), t("Write rows: test."))
            return list(self.rows[:samples])
        templates = fields["templates"].items()
        each = math.ceil(samples / len(templates)) if templates else 0
        return list(dict.fromkeys(text for item in templates for text in _filled(item, slots, draw, each)))

    def _varied(
        self, fields: Mapping[str, Item], slots: Mapping[str, tuple[str, ...]], draw: np.random.Generator, samples: int
    ) -> list[TestCase]:
        """Fillings that differ in one slot alone."""
        slot = fields["vary"].text()
        if "templates" not in fields or slot not in slots:
            raise fields["vary"].error(
                t("vary needs templates with a slot called {slot}.", slot=slot),
                t("Known here: {known}.", known=", ".join(slots)),
            )
        cases = []
        templates = fields["templates"].items()
        for item in templates:
            if f"{{{slot}}}" not in item.text():
                raise item.error(t("this template has no slot {slot}.", slot=slot))
            fixed = {**slots, slot: (f"{{{slot}}}",)}
            for text in _filled(item, fixed, draw, math.ceil(samples / len(templates))):
                first, *others = (text.replace(f"{{{slot}}}", value) for value in slots[slot])
                cases.append(TestCase(first, tuple(others)))
        return [case for case in cases if case.after]

    def _changed(self, fields: Mapping[str, Item], texts: Sequence[str], draw: np.random.Generator) -> list[TestCase]:
        name = next(name for name in CHANGES if name in fields)
        item, cases = fields[name], []
        for text in texts:
            changed = tuple(new for new in dict.fromkeys(self._versions(name, item, text, draw)) if new != text)
            if changed:
                cases.append(TestCase(text, changed))
        return cases

    def _versions(self, change: str, item: Item, text: str, draw: np.random.Generator) -> list[str]:
        if change == "append":
            return [f"{text}{end}" if _chinese(end) else f"{text} {end}" for end in item.texts()]
        if change == "prepend":
            return [f"{start}{text}" if _chinese(start) else f"{start} {text}" for start in item.texts()]
        if change == "replace":
            pairs = {old: new.texts() for old, new in item.mapping().items()}
            return [_replaced(text, old, new) for old, news in pairs.items() for new in news]
        try:
            made = create_perturbations(item.texts())
        except ConfigError as error:
            raise item.error(error.problem, error.hint) from None
        return [each.perturb(text, draw) for each in made if each.suits(text)]

    def _label(self, item: Item) -> str:
        if item.text() not in self.labels:
            raise item.error(
                t("the model has no label {label}.", label=item.text()),
                t("Choose one of: {known}.", known=", ".join(self.labels)),
            )
        return self.labels[item.text()]

    def _allowed(self, fields: Mapping[str, Item]) -> tuple[str, ...]:
        if "expect" in fields:
            return tuple(self._label(item) for item in fields["expect"].items())
        ruled_out = {self._label(item) for item in fields["expect_not"].items()}
        return tuple(label for label in self.labels.values() if label not in ruled_out)

    def _direction(self, item: Item) -> Direction:
        fields = item.mapping(("label", "goes", "tolerance"))
        if not {"label", "goes"} <= fields.keys() or fields["goes"].text() not in ("up", "down"):
            raise item.error(
                t("a DIR says which probability goes where."), t("Write expect: {{label: LABEL, goes: up}}, or down.")
            )
        tolerance = fields["tolerance"].number() if "tolerance" in fields else TOLERANCE
        return Direction(self._label(fields["label"]), fields["goes"].text() == "up", tolerance)


def _limit(fields: Mapping[str, Item]) -> float:
    limit = fields["max_failures"].number() if "max_failures" in fields else MAX_FAILURES
    if not 0 <= limit < 1:
        raise fields["max_failures"].error(t("max_failures is a share, from 0 to below 1."))
    return limit


def _filled(item: Item, slots: Mapping[str, tuple[str, ...]], draw: np.random.Generator, samples: int) -> list[str]:
    """Fillings of a template, drawn without repetition where there are more than so many."""
    template = item.text()
    names = list(dict.fromkeys(SLOT.findall(template)))
    for name in names:
        if name not in slots:
            raise item.error(
                t("there is no slot called {name}.", name=name), t("Known here: {known}.", known=", ".join(slots))
            )
    sizes = [len(slots[name]) for name in names]
    total = math.prod(sizes)
    if total > 2**62:
        raise item.error(t("the slots have too many fillings."), t("Use fewer slots in one template."))
    chosen = range(total) if total <= samples else sorted(set(draw.integers(total, size=2 * samples).tolist()))
    if total > samples:
        chosen = sorted(draw.permutation(list(chosen))[:samples].tolist())
    found = []
    for number in chosen:
        values = {}
        for name, size in zip(names, sizes, strict=True):
            number, place = divmod(number, size)
            values[name] = slots[name][place]
        found.append(SLOT.sub(lambda match, values=values: values[match[1]], template))  # type: ignore[misc]
    return found


def _replaced(text: str, old: str, new: str) -> str:
    """A word replaced wherever it stands as a word; Chinese has no ends of words."""
    return text.replace(old, new) if _chinese(old) else re.sub(rf"\b{re.escape(old)}\b", lambda _: new, text)


def _chinese(text: str) -> bool:
    from tuneloop.data.perturbations.base import script_of

    return script_of(text) == "zh"
