"""Rules that an answer keeps to: read from YAML, applied by precedence, every change with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.knowledge.actions import VERBS, Action, Kind, keeps, labels_named, parse_actions, state_of
from tuneloop.knowledge.conditions import Amount, Answer, Condition, Entity, Phrase, atoms, parse_condition
from tuneloop.knowledge.facts import Case, Facts
from tuneloop.knowledge.located import Item, read_located, rules_by_name, text_of_file
from tuneloop.knowledge.phrases import Phrases
from tuneloop.knowledge.reasons import Outcome, Reason

if TYPE_CHECKING:
    from tuneloop.knowledge.graph import Graph
    from tuneloop.knowledge.lexicon import Lexicon

KEYS = ("name", "if", "then", "priority", "hard", "because")


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        name: unique in its file.
        condition: when it holds.
        actions: what it demands of the answer.
        flag: whether a person should look at the answer.
        priority: the greater goes first.
        hard: whether the final answer may never break it; hard rules go before all others.
        because: why, for those who read the answer.
        line: where it begins in its file.
    """

    name: str
    condition: Condition
    actions: tuple[Action, ...] = ()
    flag: bool = False
    priority: int = 0
    hard: bool = False
    because: str = ""
    line: int = 0

    @property
    def rank(self) -> tuple[bool, int]:
        """What decides between two rules: hard before soft, then the greater priority."""
        return self.hard, self.priority


@dataclass(frozen=True)
class RuleBook:
    """The rules of a file, in the order of precedence, with what they look things up in.

    Args:
        rules: see `ordered`.
        lexicons: whose terms are counted.
        graph: whose entities are looked for.
        labels: classes that the file itself lists; empty if it does not.
        name: of the file.
    """

    rules: tuple[Rule, ...]
    lexicons: tuple[Lexicon, ...] = ()
    graph: Graph | None = field(default=None, compare=False)
    labels: tuple[str, ...] = ()
    name: str = "rules.yaml"

    @cached_property
    def identity(self) -> str:
        """A hash of all that decides what the rules do."""
        return hash_json(
            [
                list(map(repr, self.rules)),
                [each.identity for each in self.lexicons],
                self.graph.identity if self.graph else "",
            ]
        )

    def apply(self, case: Case, kind: Kind) -> Outcome:
        """The final answer to a case, with a reason for every change.

        Conditions look at the model's own answer, never at one that a rule has made. The rules that hold go in the
        order of precedence; each narrows what the answer may be, as far as those before it leave it something.

        Args:
            case: with the model's answer.
            kind: what its answer is.
        """
        facts = self._facts(case)
        held = [rule for rule in self.rules if facts.hold(rule.condition)]
        state = state_of(kind, case.answer, case.probabilities)
        reasons, beaten = [], []
        for rule in held:
            before = state.value
            done = [state.put(action) for action in rule.actions]
            if not all(done):
                beaten.append(rule.name)
            if state.value != before or rule.flag:
                matched = facts.stretch(rule.condition)
                reasons.append(Reason(rule.name, before, state.value, matched, rule.because, rule.hard, rule.flag))
        broken = [
            rule.name for rule in held if rule.hard and not all(keeps(action, state.value) for action in rule.actions)
        ]
        return Outcome(state.value, tuple(reasons), tuple(r.name for r in held), tuple(beaten), tuple(broken))

    def held(self, case: Case) -> list[Rule]:
        """The rules whose condition holds, in the order of precedence."""
        facts = self._facts(case)
        return [rule for rule in self.rules if facts.hold(rule.condition)]

    def check_fits(self, kind: Kind, labels: Sequence[str]) -> None:
        """Refuse what makes no sense for a model.

        Raises:
            ConfigError: if a rule does what cannot be done to such answers, or names a class or category nobody knows.
        """
        for rule in self.rules:
            for problem in misfits(rule, kind=kind, labels=labels, lexicons=self.lexicons, graph=self.graph):
                raise ConfigError(
                    t("{file}, line {line}, rule {name}: {problem}", file=self.name, line=rule.line, name=rule.name,
                      problem=problem),
                    t("Correct the rule, then see what else there is: tuneloop knowledge check {file}", file=self.name),
                )  # fmt: skip

    def _facts(self, case: Case) -> Facts:
        return Facts(case, phrases=self._phrases, names=self._names, lexicons=self.lexicons, graph=self.graph)

    @cached_property
    def _names(self) -> list[str]:
        found = (atom.phrase for rule in self.rules for atom in atoms(rule.condition) if isinstance(atom, Phrase))
        return list(dict.fromkeys(found))

    @cached_property
    def _phrases(self) -> Phrases:
        return Phrases(self._names)


def misfits(
    rule: Rule,
    *,
    kind: Kind | None,
    labels: Sequence[str],
    lexicons: Sequence[Lexicon],
    graph: Graph | None,
) -> Iterator[str]:
    """What is wrong with a rule for such a model: a sentence for each."""
    if kind is not None:
        for action in rule.actions:
            if action.verb not in VERBS[kind]:
                yield t("{verb} cannot be done to the answers of this task.", verb=action.verb)
        if kind == "number":
            for action in rule.actions:
                if action.verb == "label" and not _is_one_number(action.values):
                    yield t("the answers are numbers, and label is not one number.")
    asked = {atom.label for atom in atoms(rule.condition) if isinstance(atom, Answer)}
    asked |= {a.what[1] for a in atoms(rule.condition) if isinstance(a, Amount) and a.what[0] == "probability"} - {""}
    named = labels_named(rule.actions) if kind in ("class", "set", None) else set()
    for label in sorted((asked | named) - set(labels)) if labels else []:
        yield t("the model knows no class {label!r}.", label=label)
    categories = {category for lexicon in lexicons for category in lexicon.categories}
    for atom in atoms(rule.condition):
        if isinstance(atom, Amount) and atom.what[0] == "lexicon" and atom.what[2] not in categories:
            yield t("no lexicon has the category {name!r}.", name=atom.what[2])
        if isinstance(atom, Entity) and graph is None:
            yield t("it asks for an entity, and there is no graph.")
        if isinstance(atom, Entity) and graph is not None and not graph.knows(atom.name):
            yield t("the graph has no entity called {name!r}.", name=atom.name)


def _is_one_number(values: Sequence[str]) -> bool:
    try:
        return len(values) == 1 and float(values[0]) == float(values[0])
    except ValueError:
        return False


def read_rules(path: Path, *, lexicons: Sequence[Lexicon] = (), graph: Graph | None = None) -> RuleBook:
    """The rules in a YAML file.

    Raises:
        ConfigError: naming file, line and rule, at the first thing that is wrong.
        MissingExtraError: if a rule has a regular expression and its engine is not installed.
    """
    return parse_rules(text_of_file(path), name=path.name, lexicons=lexicons, graph=graph)


def parse_rules(
    text: str, *, name: str = "rules.yaml", lexicons: Sequence[Lexicon] = (), graph: Graph | None = None
) -> RuleBook:
    """The rules in the text of a YAML file; see `read_rules`."""
    root = read_located(text, file=name)
    given = root.mapping(("version", "rules", "labels"))
    if "version" in given and given["version"].value != "1":
        raise given["version"].error(t("only version 1 of rules is known."))
    if "rules" not in given or not isinstance(given["rules"].value, list):
        raise root.error(t("a list called rules is wanted."))
    rules = rules_by_name(given["rules"].items(), _rule)
    labels = given["labels"].texts() if "labels" in given else ()
    return RuleBook(ordered(rules), tuple(lexicons), graph, labels, name)


def ordered(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Hard rules first, then by priority, then as they stand in the file."""
    return tuple(sorted(rules, key=lambda rule: (not rule.hard, -rule.priority)))


def _rule(item: Item) -> Rule:
    given = item.mapping(KEYS)
    if "name" not in given:
        raise item.error(t("the rule has no name."), t("Add it."))
    name = given["name"].text()
    given = {key: part.named(name) for key, part in given.items()}
    if "then" not in given:
        raise item.named(name).error(t("the rule has no then."), t("Add it."))
    actions, flag = parse_actions(given["then"])
    return Rule(
        name=name,
        condition=parse_condition(given["if"] if "if" in given else Item({}, item.line, item.file, name)),
        actions=actions,
        flag=flag,
        priority=int(given["priority"].number()) if "priority" in given else 0,
        hard="hard" in given and given["hard"].truth(),
        because=given["because"].text() if "because" in given else "",
        line=item.line,
    )
