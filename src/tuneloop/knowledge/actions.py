"""What a rule does to an answer: each action narrows what the answer may be, and the rules before it are kept to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tuneloop.core.i18n import t
from tuneloop.knowledge.conditions import checked_pattern, search
from tuneloop.knowledge.reasons import Value

if TYPE_CHECKING:
    from tuneloop.knowledge.located import Item

Kind = Literal["class", "set", "number", "text"]
"""What an answer is: one class, several classes, a number, or a written text."""

Verb = Literal["label", "never", "must", "add", "remove", "range", "must_not_say", "must_say"]

VERBS: dict[Kind, tuple[Verb, ...]] = {
    "class": ("label", "never", "must"),
    "set": ("label", "never", "must", "add", "remove"),
    "number": ("label", "range"),
    "text": ("label", "must_not_say", "must_say"),
}
"""What can be done to each kind of answer."""

NAMES = (
    "label",
    "never",
    "must",
    "add",
    "remove",
    "at_most",
    "at_least",
    "must_not_say",
    "must_say",
    "instead",
    "flag",
)


@dataclass(frozen=True)
class Action:
    """One demand on an answer.

    Args:
        verb: what is demanded.
        values: classes, or for written texts patterns; the text itself for `label`.
        low: the least number.
        high: the greatest number.
        instead: what is written in place of a text that breaks the demand.
    """

    verb: Verb
    values: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    instead: str = ""

    def as_number(self) -> Action:
        """A `label` on a number as the range that holds it alone."""
        if self.verb != "label":
            return self
        value = float(self.values[0])
        return Action("range", low=value, high=value)


def parse_actions(item: Item) -> tuple[tuple[Action, ...], bool]:
    """The actions that the `then` of a rule writes, and whether it raises a flag.

    Raises:
        ConfigError: with file, line and rule.
    """
    given = item.mapping(NAMES)
    flag = "flag" in given and given["flag"].truth()
    found: list[Action] = []
    for verb in ("label", "never", "must", "add", "remove"):
        if verb in given:
            found.append(Action(verb, _labels(given[verb])))
    if "at_least" in given or "at_most" in given:
        low = given["at_least"].number() if "at_least" in given else -math.inf
        high = given["at_most"].number() if "at_most" in given else math.inf
        if low > high:
            raise item.error(t("at_least is above at_most."))
        found.append(Action("range", low=low, high=high))
    instead = given["instead"].text() if "instead" in given else ""
    for verb in ("must_not_say", "must_say"):
        if verb in given:
            patterns = tuple(checked_pattern(each) for each in given[verb].items())
            action = Action(verb, patterns, instead=instead)  # type: ignore[arg-type]
            if not instead or not keeps(action, instead):
                raise given[verb].error(
                    t("instead must be a text that keeps to the rule."),
                    t("It is what is answered in place of a text that breaks the rule."),
                )
            found.append(action)
    if not found and not flag:
        raise item.error(t("the rule does nothing."), t("Known here: {known}.", known=", ".join(NAMES)))
    return tuple(found), flag


def _labels(item: Item) -> tuple[str, ...]:
    return () if item.value == [] else item.texts()


def keeps(action: Action, value: Value) -> bool:
    """Whether a final answer keeps to the demand."""
    if isinstance(value, float):
        wanted = action.as_number()
        return wanted.low <= value <= wanted.high
    if action.verb in ("must_not_say", "must_say"):
        said = any(search(pattern, str(value)) is not None for pattern in action.values)
        return said == (action.verb == "must_say")
    given = set(value) if isinstance(value, tuple) else {value}
    wanted_labels = set(action.values)
    if action.verb == "label":
        return given == wanted_labels if isinstance(value, tuple) else value in wanted_labels
    if action.verb in ("never", "remove"):
        return not given & wanted_labels
    return wanted_labels <= given if action.verb == "add" else bool(given & wanted_labels)


class State(Protocol):
    """An answer under rules: what it is by now, and what it may still become."""

    value: Any

    def put(self, action: Action) -> bool:
        """Keep to the demand, as far as the demands before it allow; False if they do not."""


@dataclass
class ClassState:
    """One class: every demand narrows the set of those allowed, and the most probable of them is the answer."""

    value: str
    probabilities: Mapping[str, float]
    allowed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.allowed = {*self.probabilities, self.value}

    def put(self, action: Action) -> bool:
        wanted = set(action.values)
        left = self.allowed - wanted if action.verb == "never" else self.allowed & wanted
        if not left:
            return False
        self.allowed = left
        if self.value not in left:
            self.value = max(sorted(left), key=lambda label: self.probabilities.get(label, 0.0))
        return True


@dataclass
class SetState:
    """Any number of classes: a demand settles some of them for good."""

    value: tuple[str, ...]
    probabilities: Mapping[str, float]
    inside: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def put(self, action: Action) -> bool:
        inside, outside = self._wanted(action)
        if inside & self.outside or outside & self.inside:
            return False
        if action.verb == "must" and not inside:
            return False
        self.inside |= inside
        self.outside |= outside
        self.value = tuple(sorted((set(self.value) | inside) - outside))
        return True

    def _wanted(self, action: Action) -> tuple[set[str], set[str]]:
        """Classes that the demand settles as given, and as not given."""
        named = set(action.values)
        if action.verb == "label":
            return named, ({*self.probabilities, *self.value}) - named
        if action.verb == "add":
            return named, set()
        if action.verb == "must":
            free = (named & set(self.value)) or named - self.outside
            return {max(sorted(free), key=lambda label: self.probabilities.get(label, 0.0))} if free else set(), set()
        return set(), named


@dataclass
class NumberState:
    """A number: every demand narrows the range it is brought into."""

    value: float
    low: float = -math.inf
    high: float = math.inf

    def put(self, action: Action) -> bool:
        wanted = action.as_number()
        low, high = max(self.low, wanted.low), min(self.high, wanted.high)
        if low > high:
            return False
        self.low, self.high = low, high
        self.value = min(max(self.value, low), high)
        return True


@dataclass
class TextState:
    """A written text: the first demand that it breaks replaces it whole, and nothing replaces that again."""

    value: str
    replaced: bool = False

    def put(self, action: Action) -> bool:
        if action.verb != "label" and keeps(action, self.value):
            return True
        text = action.values[0] if action.verb == "label" else action.instead
        if self.replaced:
            return text == self.value
        self.value, self.replaced = text, True
        return True


def state_of(kind: Kind, value: Any, probabilities: Mapping[str, float]) -> State:
    """An answer of the model before any rule."""
    if kind == "class":
        return ClassState(value, probabilities)
    if kind == "set":
        return SetState(value, probabilities)
    return NumberState(value) if kind == "number" else TextState(value)


def labels_named(actions: Sequence[Action]) -> set[str]:
    """Every class that the actions name."""
    return {value for action in actions if action.verb in VERBS["set"] for value in action.values}
