"""Knowledge that travels with a model: read from a configuration, kept in the model's folder, opened from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.i18n import t
from tuneloop.core.knowledge import KnowledgeConfig
from tuneloop.data.examples import Input
from tuneloop.knowledge.files import find_file
from tuneloop.knowledge.graph import Graph
from tuneloop.knowledge.graph_files import read_graph, write_graph
from tuneloop.knowledge.index import open_index
from tuneloop.knowledge.lexicon import Lexicon
from tuneloop.knowledge.lexicon_files import read_lexicon, write_lexicon
from tuneloop.knowledge.located import text_of_file
from tuneloop.knowledge.rules import RuleBook, parse_rules
from tuneloop.knowledge.store import FILE

FOLDER, ABOUT, RULES, GRAPH = "knowledge", "knowledge.json", "rules.yaml", "graph.tsv"
DOCUMENTS, ENCODER = "documents", "encoder"


@dataclass(frozen=True)
class Knowledge:
    """Lexicons, rules, a graph and documents that belong to a model.

    Args:
        lexicons: in the order of the configuration.
        graph: None without one.
        book: the rules; None without any.
        rules_text: the file they were read from.
        context: what is written behind each text: lexicon, facts.
        facts: facts behind each text at most.
        documents: the folder of an index of documents; None without one.
        encoder: the folder of the embedding model that travels with them; None if none does.
    """

    lexicons: tuple[Lexicon, ...] = ()
    graph: Graph | None = None
    book: RuleBook | None = None
    rules_text: str = ""
    context: tuple[str, ...] = ()
    facts: int = 3
    documents: Path | None = None
    encoder: Path | None = None

    @property
    def reading(self) -> str:
        """A hash of all that decides what is written behind a text; empty if nothing is."""
        if not self.context:
            return ""
        terms = [each.identity for each in self.lexicons] if "lexicon" in self.context else []
        facts = [self.graph.identity, self.facts] if self.graph and "facts" in self.context else []
        return hash_json([1, list(self.context), terms, facts])

    def read(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the model reads them, with what is known of their first text behind it."""
        if not self.context:
            return list(inputs)
        return [self._known(each) if isinstance(each, str) else (self._known(each[0]), each[1]) for each in inputs]

    def _known(self, text: str) -> str:
        """`text [negative, not positive; Jaws directed by Steven Spielberg]`."""
        parts: list[str] = []
        if "lexicon" in self.context:
            matches = [match for lexicon in self.lexicons for match in lexicon.matches(text)]
            words = [f"not {match.category}" if match.negated else match.category for match in matches]
            parts += [", ".join(sorted(words))] if words else []
        if "facts" in self.context and self.graph is not None:
            parts += self.graph.facts(text, self.facts)
        return f"{text} [{'; '.join(parts)}]" if parts else text


def load_knowledge(config: KnowledgeConfig, *, base: Path, indexes: Path | None = None) -> Knowledge | None:
    """The knowledge that a configuration names; None if it names none.

    Args:
        base: what relative files start from.
        indexes: where the indexes of documents of a workspace lie.

    Raises:
        ConfigError: if rules are wrong, or the context needs what is not there.
        DataError: if a lexicon or graph cannot be read.
        MissingExtraError: if a package of the extra `knowledge` is not installed.
    """
    for kind, there in (("lexicon", config.lexicons), ("facts", config.graph)):
        if kind in config.context and not there:
            raise ConfigError(
                t("knowledge.context names {kind}, but there is nothing to take it from.", kind=kind),
                t("Name files in knowledge.lexicons or knowledge.graph."),
            )
    if not config.used:
        return None
    lexicons = tuple(read_lexicon(source, base=base) for source in config.lexicons)
    graph = read_graph(config.graph, base=base, names=config.names) if config.graph else None
    text, book = "", None
    if config.rules:
        path = find_file(config.rules, base=base)
        text = text_of_file(path)
        book = parse_rules(text, name=path.name, lexicons=lexicons, graph=graph)
    documents = _index(config.documents, base, indexes) if config.documents else None
    return Knowledge(lexicons, graph, book, text, config.context, config.facts, documents)


def keep_knowledge(knowledge: Knowledge, folder: Path) -> None:
    """Write all of it into an empty folder, lexicons and graph in one form each, with where they come from."""
    folder.mkdir(exist_ok=True)
    about: dict[str, Any] = {
        "version": 1, "lexicons": [], "graph": None, "rules": RULES if knowledge.book else None,
        "context": list(knowledge.context), "facts": knowledge.facts, "reading": knowledge.reading,
    }  # fmt: skip
    for number, lexicon in enumerate(knowledge.lexicons, start=1):
        file = f"lexicon-{number}.csv"
        write_lexicon(folder / file, lexicon)
        origin = {"name": lexicon.name, "source": lexicon.source, "licence": lexicon.licence}
        about["lexicons"].append({"file": file, **origin, "terms": len(lexicon), "categories": lexicon.categories})
    if knowledge.graph is not None:
        write_graph(folder / GRAPH, knowledge.graph)
        origin = {"source": knowledge.graph.source, "licence": knowledge.graph.licence}
        about["graph"] = {"file": GRAPH, **origin, "facts": len(knowledge.graph)}
    if knowledge.book is not None:
        write_text(folder / RULES, knowledge.rules_text)
    if knowledge.documents is not None:
        with open_index(knowledge.documents) as index:
            index.copy_to(folder / DOCUMENTS)
            about["documents"] = {"folder": DOCUMENTS, "documents": len(index.documents()), **index.settings}
    write_json(folder / ABOUT, about)


def open_knowledge(model: Path) -> Knowledge | None:
    """The knowledge in a model folder; None if it has none.

    Raises:
        ModelError: if it is damaged.
        MissingExtraError: if a package of the extra `knowledge` is not installed.
    """
    folder = model / FOLDER
    if not folder.is_dir():
        return None
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        lexicons = tuple(_lexicon(folder, each) for each in about["lexicons"])
        graph = read_graph(GRAPH, base=folder, licence=about["graph"]["licence"]) if about["graph"] else None
        text = text_of_file(folder / RULES) if about["rules"] else ""
        context, facts = tuple(about["context"]), int(about["facts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=folder, error=error),
            t("Attach the knowledge again: tuneloop knowledge attach"),
        ) from None
    book = parse_rules(text, lexicons=lexicons, graph=graph) if text else None
    documents, encoder = (path if path.is_dir() else None for path in (folder / DOCUMENTS, folder / ENCODER))
    return Knowledge(lexicons, graph, book, text, context, facts, documents, encoder)


def knowledge_hash(model: Path) -> str:
    """A hash of what a model's answers depend on in its knowledge, which documents are not; empty if it has none."""
    files = sorted(file for file in (model / FOLDER).glob("*") if file.is_file())
    return hash_json({file.name: hash_file(file) for file in files}) if files else ""


def _index(name: str, base: Path, indexes: Path | None) -> Path:
    """The folder of an index: one of the workspace by its name, or any."""
    for folder in ([indexes / name] if indexes and name.replace("-", "").replace("_", "").isalnum() else []) + [
        base / Path(name).expanduser()
    ]:
        if (folder / FILE).is_file():
            return folder
    raise ConfigError(
        t("There is no index of documents called {name}.", name=name),
        t("Make it with: tuneloop knowledge add FILES --name {name}", name=name),
    )


def _lexicon(folder: Path, about: dict[str, Any]) -> Lexicon:
    read = read_lexicon(about["file"], base=folder)
    return Lexicon(read.entries, name=about["name"], source=about["source"], licence=about["licence"])


def reading_of(model: Path) -> str:
    """The hash of what is written behind texts by the knowledge in a model's folder; empty if nothing is."""
    about = model / FOLDER / ABOUT
    return str(json.loads(about.read_text(encoding="utf-8"))["reading"]) if about.is_file() else ""
