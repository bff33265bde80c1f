"""A graph of facts: its entities found in texts, its paths and neighbours asked for, its facts as sentences."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from typing import Any, NamedTuple

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.knowledge.phrases import Hit, Phrases, longest, lowered

NAME_RELATIONS = ("name", "alias", "label", "altlabel", "preflabel", "名称", "别名")
"""Relations whose tail is what the head is called; the first ones of an entity come first."""


class Triple(NamedTuple):
    """One fact: `head` has `relation` to `tail`."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True)
class Link:
    """An entity that a text names.

    Args:
        start: first character.
        end: the character after the last.
        name: how the text writes it.
        entity: the likeliest one that is called so.
        candidates: all that are called so, the likeliest first, each with its score.
    """

    start: int
    end: int
    name: str
    entity: str
    candidates: tuple[tuple[str, float], ...]


class Graph:
    """Facts between entities.

    Args:
        triples: the facts; an equal one counts once. Those with a relation of `NAME_RELATIONS` are names.
        names: further names, entity and name.
        source: where it was read from.

    Raises:
        MissingExtraError: if networkx or the automaton's package is not installed.
    """

    def __init__(
        self, triples: Iterable[Triple], names: Iterable[tuple[str, str]] = (), *, source: str = "", licence: str = ""
    ) -> None:
        try:
            from networkx import MultiDiGraph
        except ImportError:
            raise MissingExtraError("networkx", "knowledge") from None
        self.source, self.licence = source, licence
        self.names: dict[str, list[str]] = {}
        self.facts_between: Any = MultiDiGraph()
        for head, relation, tail in triples:
            if relation.lower() in NAME_RELATIONS:
                self._call(head, tail)
            else:
                self.facts_between.add_edge(head, tail, key=relation)
        for entity, name in names:
            self._call(entity, name)

    def __len__(self) -> int:
        return int(self.facts_between.number_of_edges())

    @property
    def triples(self) -> Iterator[Triple]:
        """Every fact, without the names."""
        return (Triple(head, relation, tail) for head, tail, relation in self.facts_between.edges(keys=True))

    @cached_property
    def identity(self) -> str:
        """A hash of facts and names."""
        return hash_json([sorted(map(list, self.triples)), sorted(map(list, self.names.items()))])

    @property
    def entities(self) -> list[str]:
        """Every entity that has a fact or a name."""
        return list(dict.fromkeys([*self.facts_between.nodes, *self.names]))

    def name(self, entity: str) -> str:
        """What an entity is called."""
        return self.names[entity][0] if entity in self.names else plain_name(entity)

    def resolve(self, name: str) -> list[str]:
        """The entities with this id or name, those with most facts first.

        Raises:
            DataError: if there is none; the nearest names are suggested.
        """
        if name in self.facts_between or name in self.names:
            return [name]
        found = self._called.get(lowered(name.strip()), [])
        if found:
            return sorted(found, key=lambda entity: (-self.popularity(entity), entity))
        from difflib import get_close_matches

        near = get_close_matches(lowered(name), list(self._called)[:50_000], n=3)
        raise DataError(
            t("The graph has no entity called {name!r}.", name=name),
            t("Did you mean {name}?", name=", ".join(near)) if near else t("Check its name, or add an alias."),
        )

    def knows(self, name: str) -> bool:
        """Whether an entity has this id or name."""
        return name in self.facts_between or name in self.names or lowered(name.strip()) in self._called

    def popularity(self, entity: str) -> int:
        """How many facts an entity has."""
        return int(self.facts_between.degree(entity)) if entity in self.facts_between else 0

    def link(self, text: str) -> list[Link]:
        """The entities that a text names, from left to right; of names that begin together, the longest.

        A name of one word in a spaced script is found with its own capitals only, so that the film "It" is not in
        every sentence. Of several entities with one name, the one that more entities of the text are neighbours of is
        likelier, then the one with more facts.
        """
        hits = longest(hit for hit in self._phrases.all(text) if self._written(text, hit))
        called = [(hit, self._called[self._forms[hit.number]]) for hit in hits]
        around = {entity for _, entities in called for entity in entities}
        links = []
        for hit, entities in called:
            scored = sorted(((each, self._score(each, around)) for each in entities), key=lambda one: (-one[1], one[0]))
            links.append(Link(hit.start, hit.end, text[hit.start : hit.end], scored[0][0], tuple(scored)))
        return links

    def neighbours(self, entity: str, relation: str | None = None) -> list[Triple]:
        """The facts that an entity has part in, with this relation only if one is given, in a settled order."""
        if entity not in self.facts_between:
            return []
        out = (Triple(a, key, b) for a, b, key in self.facts_between.out_edges(entity, keys=True))
        into = (Triple(a, key, b) for a, b, key in self.facts_between.in_edges(entity, keys=True))
        found = dict.fromkeys([*sorted(out), *sorted(into)])
        return [each for each in found if relation is None or each.relation == relation]

    def select(self, pattern: str) -> list[Triple]:
        """The facts that fit `?x directed_by ?y`: names with a question mark fit anything, equal ones the same.

        Raises:
            DataError: if the pattern has not three parts, or names an entity that does not exist.
        """
        parts = re.findall(r'"[^"]*"|\S+', pattern)
        if len(parts) != 3:
            raise DataError(
                t("{pattern} is no pattern of three parts.", pattern=pattern),
                t('Write it as: ?x directed_by "Steven Spielberg"'),
            )
        head, relation, tail = (part.strip('"') for part in parts)
        ends = [None if end.startswith("?") else set(self.resolve(end)) for end in (head, tail)]
        facts: Iterable[Triple] = self.triples
        named = next((end for end in ends if end is not None), None)
        if named is not None:
            facts = dict.fromkeys(fact for entity in sorted(named) for fact in self.neighbours(entity))
        return [
            fact
            for fact in facts
            if (ends[0] is None or fact.head in ends[0])
            and (ends[1] is None or fact.tail in ends[1])
            and (relation.startswith("?") or fact.relation == relation)
            and (head != tail or fact.head == fact.tail)
        ]

    def paths(self, first: str, second: str, *, hops: int = 3, limit: int = 10) -> list[list[Triple]]:
        """Shortest paths between two entities, whatever the direction of their facts, of at most `hops` facts."""
        import networkx as nx

        ends = [(a, b) for a in self.resolve(first) for b in self.resolve(second)]
        found: list[list[Triple]] = []
        for a, b in ends:
            if a == b or not {a, b} <= set(self._undirected):
                continue
            near = nx.single_source_shortest_path_length(self._undirected, a, cutoff=hops)
            if b in near:
                walks = islice(nx.all_shortest_paths(self._undirected, a, b), limit)
                found += [[self._fact(*step) for step in pairwise(walk)] for walk in walks]
        return sorted(found, key=lambda path: (len(path), path))[:limit]

    def facts(self, text: str, limit: int = 5) -> list[str]:
        """Facts about the entities of a text as sentences: first those between two of them, then the rest in turn."""
        entities = list(dict.fromkeys(link.entity for link in self.link(text)))
        inside = [f for e in entities for f in self.neighbours(e) if f.head in entities and f.tail in entities]
        queues = [iter(sorted(self.neighbours(entity), key=self._unnamed)) for entity in entities]
        chosen = dict.fromkeys(inside)
        while queues and len(chosen) < limit:
            queues = [queue for queue in queues if self._take(queue, chosen)]
        return [self.sentence(fact) for fact in list(chosen)[:limit]]

    def sentence(self, fact: Triple) -> str:
        """A fact in words."""
        return f"{self.name(fact.head)} {relation_words(fact.relation)} {self.name(fact.tail)}"

    def fits(self, entity: str, name: str, relation: str = "") -> bool:
        """Whether an entity is the one called `name`, or has this relation to it."""
        if not self.knows(name):
            return False
        wanted = self.resolve(name)
        if not relation:
            return entity in wanted
        return any(self.facts_between.has_edge(entity, other, key=relation) for other in wanted)

    def _take(self, queue: Iterator[Triple], chosen: dict[Triple, None]) -> bool:
        """The next fact of an entity among the chosen ones; False if it has no more."""
        fact = next((each for each in queue if each not in chosen), None)
        if fact is not None:
            chosen[fact] = None
        return fact is not None

    def _unnamed(self, fact: Triple) -> int:
        return sum(end not in self.names for end in (fact.head, fact.tail)) if self.names else 0

    def _score(self, entity: str, around: set[str]) -> float:
        """How likely an entity is meant: neighbours in the text first, then its number of facts."""
        if entity not in self.facts_between:
            return 0.0
        near = sum(self._undirected.has_edge(entity, other) for other in around if other != entity)
        popularity = self.popularity(entity)
        return float(near + popularity / (1 + popularity))

    def _written(self, text: str, hit: Hit) -> bool:
        """Whether a name of one word is written with the capitals of one of its entities' names."""
        written = text[hit.start : hit.end]
        return " " in written or not written.isascii() or written in self._spellings

    def _call(self, entity: str, name: str) -> None:
        known = self.names.setdefault(entity, [])
        if name.strip() and name.strip() not in known:
            known.append(name.strip())

    def _fact(self, first: str, second: str) -> Triple:
        for a, b in ((first, second), (second, first)):
            if self.facts_between.has_edge(a, b):
                return Triple(a, min(self.facts_between[a][b]), b)
        raise KeyError((first, second))

    @cached_property
    def _undirected(self) -> Any:
        return self.facts_between.to_undirected(as_view=False)

    @cached_property
    def _called(self) -> dict[str, list[str]]:
        """The entities of each name, in small letters; an entity without names is called by its id."""
        found: dict[str, list[str]] = defaultdict(list)
        for entity in self.entities:
            for name in dict.fromkeys(map(lowered, self.names.get(entity) or [plain_name(entity)])):
                found[name].append(entity)
        return dict(found)

    @cached_property
    def _spellings(self) -> set[str]:
        return {name for entity in self.entities for name in self.names.get(entity) or [plain_name(entity)]}

    @cached_property
    def _forms(self) -> list[str]:
        return [name for name in self._called if name.strip()]

    @cached_property
    def _phrases(self) -> Phrases:
        return Phrases(self._forms)


def plain_name(entity: str) -> str:
    """The last part of an IRI in words; anything else as it is."""
    if "://" not in entity:
        return entity
    from urllib.parse import unquote

    return unquote(re.split(r"[/#]", entity.rstrip("/#"))[-1]).replace("_", " ")


def relation_words(relation: str) -> str:
    """A relation in words: `directed_by` as `directed by`."""
    return re.sub(r"[._]+", " ", plain_name(relation)).strip()


def named(graph: Graph) -> Sequence[tuple[str, str]]:
    """Entity and name of every name."""
    return [(entity, name) for entity, names in graph.names.items() for name in names]
