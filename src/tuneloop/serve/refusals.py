"""Requests that this server refuses by what they say: rules of the operator, whatever the release."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.knowledge.conditions import Amount, Language, Pattern, Phrase, atoms, parse_condition
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.located import Item, read_located
from tuneloop.knowledge.rules import Rule, RuleBook
from tuneloop.serve.problems import Problem

CODE = "content_filter"
"""OpenAI's word for it."""


class Refusals:
    """Rules by which requests are refused.

    Args:
        rules: in the order of the file; the first that holds is named.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._book = RuleBook(tuple(rules))
        self._book.held(Case(""))  # what is missing to look for phrases is said before the server listens

    async def first(self, texts: Sequence[str]) -> Rule | None:
        """The rule that refuses one of these texts, if there is one; they are searched in a thread."""
        return await asyncio.to_thread(self._first, texts)

    def _first(self, texts: Sequence[str]) -> Rule | None:
        held = (rule for text in texts for rule in self._book.held(Case(_plain(text))))
        return next(held, None)


def refusal(rule: Rule) -> Problem:
    """What a client is told: the rule's name, and why if the rule says so."""
    return Problem(
        403, t("This server refuses such a request by its rule {name}.", name=rule.name),
        rule.because or t("Ask for something else."), code=CODE,
    )  # fmt: skip


def read_refusals(path: Path) -> Refusals:
    """The rules of a YAML file: a list `refuse` of `name`, `if` (as in rules.yaml) and, if you like, `because`.

    Raises:
        ConfigError: naming file, line and rule, at the first thing that is wrong.
        MissingExtraError: if the packages that look for phrases and patterns are not installed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Save it as UTF-8 text.")
        ) from None
    root = read_located(text, file=path.name)
    given = root.mapping(("version", "refuse"))
    if "refuse" not in given or not isinstance(given["refuse"].value, list):
        raise root.error(t("a list called refuse is wanted."))
    rules: dict[str, Rule] = {}
    for item in given["refuse"].items():
        rule = _rule(item)
        if rule.name in rules:
            raise item.error(t("two rules are called {name}.", name=rule.name))
        rules[rule.name] = rule
    return Refusals(list(rules.values()))


def _rule(item: Item) -> Rule:
    given = item.mapping(("name", "if", "because"))
    if "name" not in given:
        raise item.error(t("the rule has no name."), t("Add it."))
    name = given["name"].text()
    if "if" not in given or not given["if"].value:
        raise item.named(name).error(t("the rule has no if: it would refuse everything."), t("Add it."))
    condition = parse_condition(given["if"].named(name))
    for atom in atoms(condition):
        of_text = isinstance(atom, Phrase | Pattern | Language) and atom.scope == "text"
        if not of_text and not (isinstance(atom, Amount) and atom.what == ("length", "text")):
            raise item.named(name).error(
                t("a request is refused by its text alone."),
                t("Known here: {known}.", known="contains, any, all, regex, length, language, and, or, not"),
            )
    return Rule(name, condition, because=given["because"].text() if "because" in given else "", line=item.line)


def _plain(text: str) -> str:
    """The text with look-alike forms of letters made plain (NFKC), and without signs that nobody sees."""
    return "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
