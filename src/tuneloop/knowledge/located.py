"""YAML in which every value knows its line; scalars stay texts, so that the label `no` is not a truth value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

MOST_VALUES = 200_000
"""Values in a file; aliases could otherwise blow a small file up."""


@dataclass(frozen=True)
class Item:
    """A text, a list or a mapping of a YAML file, and the line it begins in.

    Args:
        value: str, list[Item] or dict[str, Item].
        line: from 1.
        file: the name of the file.
        about: what it belongs to, such as the name of a rule.
    """

    value: Any
    line: int
    file: str
    about: str = ""

    def error(self, problem: str, hint: str = "") -> ConfigError:
        """A mistake at this place."""
        where = t("{file}, line {line}", file=self.file, line=self.line)
        if self.about:
            where = t("{place}, rule {name}", place=where, name=self.about)
        return ConfigError(f"{where}: {problem}", hint)

    def mapping(self, known: tuple[str, ...] = ()) -> dict[str, Item]:
        """The mapping that this is; with `known`, no other names are allowed."""
        if not isinstance(self.value, dict):
            raise self.error(t("names with values are wanted here."))
        for name, item in self.value.items():
            if known and name not in known:
                raise item.error(
                    t("there is nothing called {name}.", name=name), t("Known here: {known}.", known=", ".join(known))
                )
        return self.value

    def items(self) -> list[Item]:
        """The list that this is; anything else is a list of one."""
        return self.value if isinstance(self.value, list) else [self]

    def text(self) -> str:
        """The text that this is, not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(t("a text is wanted here."))
        return self.value

    def texts(self) -> tuple[str, ...]:
        """The texts of a list, or the one text; not none."""
        found = tuple(item.text() for item in self.items())
        if not found:
            raise self.error(t("a list of texts is wanted here."))
        return found

    def number(self) -> float:
        """The number that this is."""
        import math

        try:
            value = float(self.text())
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(t("{value!r} is not a number.", value=self.value))
        return value

    def whole(self) -> int:
        """The whole number, 0 or more, that this is."""
        value = self.number()
        if value < 0 or value != int(value):
            raise self.error(t("a whole number, 0 or more, is wanted here."))
        return int(value)

    def truth(self) -> bool:
        """true or false."""
        if str(self.value).lower() not in ("true", "false", "yes", "no"):
            raise self.error(t("true or false is wanted here."))
        return str(self.value).lower() in ("true", "yes")

    def named(self, about: str) -> Item:
        """The same, as a part of what is called `about`, with all inside it."""
        value = self.value
        if isinstance(value, list):
            value = [item.named(about) for item in value]
        elif isinstance(value, dict):
            value = {name: item.named(about) for name, item in value.items()}
        return Item(value, self.line, self.file, about)


def read_located(text: str, *, file: str) -> Item:
    """The YAML document in `text`.

    Raises:
        ConfigError: with the line, if it is no YAML, names something twice, or is too large.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return _Reader(file).item(node) if node is not None else Item({}, 1, file)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Item("", line, file).error(
            t("this is not valid YAML: {error}", error=error.problem or error),
            t("Check the indentation and the quotes at that place."),
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Item("", 1, file).error(
            t("this is not valid YAML: {error}", error=" ".join(str(error).split())),
            t("Check the indentation and the quotes at that place."),
        ) from None


class _Reader:
    def __init__(self, file: str) -> None:
        self.file, self.count = file, 0

    def item(self, node: yaml.Node) -> Item:
        self.count += 1
        line = node.start_mark.line + 1
        if self.count > MOST_VALUES:
            raise Item("", line, self.file).error(t("the file holds too many values."))
        if isinstance(node, yaml.ScalarNode):
            return Item(node.value, line, self.file)
        if isinstance(node, yaml.SequenceNode):
            return Item([self.item(each) for each in node.value], line, self.file)
        found: dict[str, Item] = {}
        for key, value in node.value:
            name = str(key.value)
            inner = self.item(value)
            place = Item(inner.value, key.start_mark.line + 1, self.file)
            if name in found:
                raise place.error(t("{name} stands here twice.", name=name))
            found[name] = place
        return Item(found, line, self.file)


class Named(Protocol):
    """What is told apart by its name."""

    @property
    def name(self) -> str:
        """Its name."""


Rule = TypeVar("Rule", bound=Named)


def rules_by_name(items: Iterable[Item], read: Callable[[Item], Rule]) -> list[Rule]:
    """What `read` makes of each item, in order.

    Raises:
        ConfigError: if two of them have one name.
    """
    rules: dict[str, Rule] = {}
    for item in items:
        rule = read(item)
        if rule.name in rules:
            raise item.error(t("two rules are called {name}.", name=rule.name))
        rules[rule.name] = rule
    return list(rules.values())


def text_of_file(path: Path) -> str:
    """The text of a file that people write.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Save it as UTF-8 text.")
        ) from None
