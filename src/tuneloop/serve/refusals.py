"""Requests that this server refuses by what they say: rules of the operator, whatever the release."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuneloop.core.i18n import t
from tuneloop.data.clean import clean_inputs
from tuneloop.data.conversation import spoken
from tuneloop.data.examples import Input
from tuneloop.knowledge.conditions import Amount, Language, Pattern, Phrase, atoms, parse_condition
from tuneloop.knowledge.facts import Case
from tuneloop.knowledge.located import Item, read_located, rules_by_name, text_of_file
from tuneloop.knowledge.rules import Rule, RuleBook
from tuneloop.serve.problems import Problem

UNSEEN = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point of Unicode 16 (DerivedCoreProperties), and what else is a format character (Cf)."""

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

    async def first(self, inputs: Sequence[Input], handle: Any = None) -> Rule | None:
        """The rule that refuses one of these inputs, if there is one; they are searched in a thread.

        Args:
            inputs: texts, pairs of them, or conversations.
            handle: the model that reads them.
        """
        return await asyncio.to_thread(self._first, inputs, handle)

    def _first(self, inputs: Sequence[Input], handle: Any) -> Rule | None:
        texts = [_said(each) for each in (*inputs, *as_read(handle, inputs))]
        ways = dict.fromkeys(way for text in texts for way in _ways(text))
        return next((rule for way in ways for rule in self._book.held(Case(way))), None)


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
    root = read_located(text_of_file(path), file=path.name)
    given = root.mapping(("version", "refuse"))
    if "refuse" not in given or not isinstance(given["refuse"].value, list):
        raise root.error(t("a list called refuse is wanted."))
    return Refusals(rules_by_name(given["refuse"].items(), _rule))


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


def as_read(handle: Any, inputs: Sequence[Input]) -> list[Input]:
    """Inputs as a model reads them: mended as the texts were that it learnt from."""
    clean = getattr(handle, "clean", None)
    return list(inputs) if clean is None else clean_inputs(inputs, clean)


def _said(item: Input) -> str:
    return "\n".join(item) if isinstance(item, tuple) else spoken(item)


def _ways(text: str) -> tuple[str, ...]:
    """The ways in which a text may be read: look-alike forms of letters are made plain (NFKC) in all of them.

    As it was sent, since a rule may name a sign that is hardly seen; without signs that nobody sees; and with control
    characters as nothing or, where Python takes them for spaces, as spaces.
    """
    plain = unicodedata.normalize("NFKC", text)
    if plain.isascii() and plain.isprintable():
        return (plain,)
    # a sign between a letter and its accent keeps the two apart, and NFKC makes one such sign of another
    seen = UNSEEN.sub("", unicodedata.normalize("NFKC", UNSEEN.sub("", text)))
    kept = [each if each in "\t\n\r" or unicodedata.category(each) != "Cc" else "" for each in seen]
    spaced = [" " if each.isspace() and not left else left for each, left in zip(seen, kept, strict=True)]
    return (plain, "".join(spaced), "".join(kept))
