"""Facts are read, entities found in texts, paths and patterns answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuneloop.core.errors import DataError
from tuneloop.knowledge.graph import Graph, Triple
from tuneloop.knowledge.graph_files import read_graph, write_graph

FACTS = [
    Triple("jaws", "directed_by", "spielberg"),
    Triple("et", "directed_by", "spielberg"),
    Triple("it1990", "directed_by", "wallace"),
    Triple("jaws2016", "directed_by", "unknown"),
    Triple("dreyfuss", "acted_in", "jaws"),
]
NAMES = [
    ("jaws", "Jaws"), ("jaws2016", "Jaws"), ("et", "E.T."), ("it1990", "It"),
    ("spielberg", "Steven Spielberg"), ("spielberg", "斯皮尔伯格"), ("wallace", "Tommy Lee Wallace"),
]  # fmt: skip


@pytest.fixture
def graph() -> Graph:
    return Graph(FACTS, NAMES)


def test_names_and_aliases_are_linked_and_all_candidates_kept(graph: Graph) -> None:
    links = graph.link("steven spielberg made Jaws; 导演斯皮尔伯格 made it too")
    assert [(each.name, each.entity) for each in links] == [
        ("steven spielberg", "spielberg"), ("Jaws", "jaws"), ("斯皮尔伯格", "spielberg"),
    ]  # fmt: skip
    assert {entity for entity, _ in links[1].candidates} == {"jaws", "jaws2016"}


def test_the_context_beats_popularity() -> None:
    facts = [Triple("berlin_de", "r", str(number)) for number in range(50)] + [Triple("berlin_us", "in", "ohio")]
    names = [("berlin_de", "Berlin"), ("berlin_us", "Berlin"), ("ohio", "Ohio")]
    graph = Graph(facts, names)
    assert graph.link("Berlin is large")[0].entity == "berlin_de"
    assert graph.link("Berlin in Ohio is small")[0].entity == "berlin_us"


def test_paths_neighbours_and_patterns(graph: Graph) -> None:
    (path,) = graph.paths("dreyfuss", "E.T.", hops=3)
    assert [graph.sentence(fact) for fact in path] == [
        "dreyfuss acted in Jaws", "Jaws directed by Steven Spielberg", "E.T. directed by Steven Spielberg",
    ]  # fmt: skip
    assert graph.paths("dreyfuss", "E.T.", hops=2) == []
    assert {fact.head for fact in graph.select('?x directed_by "Steven Spielberg"')} == {"jaws", "et"}
    assert graph.neighbours("jaws", "acted_in") == [Triple("dreyfuss", "acted_in", "jaws")]
    assert graph.fits("jaws", "Steven Spielberg", "directed_by") and not graph.fits("jaws", "E.T.")


def test_facts_between_two_entities_of_a_text_come_first(graph: Graph) -> None:
    assert graph.facts("Was E.T. by Steven Spielberg?", limit=2)[0] == "E.T. directed by Steven Spielberg"
    assert graph.facts("nobody is named here") == []


def test_an_unknown_name_suggests_the_nearest(graph: Graph) -> None:
    with pytest.raises(DataError, match="steven spielberg"):
        graph.paths("Stephen Spielberg", "Jaws")


def test_all_file_formats_hold_the_same_facts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("head,relation,tail\njaws,directed_by,spielberg\njaws,name,Jaws\n")
    (tmp_path / "a.nt").write_text(
        "# films\n<http://f/jaws> <http://r/directed_by> <http://p/spielberg> .\n"
        '<http://f/jaws> <http://www.w3.org/2000/01/rdf-schema#label> "J\\u0061ws"@en .\n'
    )
    (tmp_path / "b.kg").write_text("head_id:token\trelation_id:token\ttail_id:token\nm.1\tdirected_by\tspielberg\n")
    (tmp_path / "b.link").write_text("item_id:token\tentity_id:token\n7\tm.1\n")
    (tmp_path / "b.item").write_text("item_id:token\tmovie_title:token_seq\n7\tJaws\n")
    for name in ("a.csv", "a.nt", "b.kg"):
        graph = read_graph(name, base=tmp_path)
        assert graph.facts("I saw Jaws") == ["Jaws directed by spielberg"], name
        write_graph(tmp_path / "copy.tsv", graph)
        assert read_graph("copy.tsv", base=tmp_path).identity == graph.identity


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.csv", "head,relation,tail\na,b\n", "a.csv, row 2"),
        ("a.tsv", "a\tb\tc\na\t\tc\n", "a.tsv, row 2"),
        ("a.nt", "<a> <b> <c> .\n<a> <b> c .\n", "a.nt, row 2"),
        ("a.csv", "head,relation,tail\n", "no facts"),
    ],
)
def test_mistakes_name_file_and_row(tmp_path: Path, name: str, content: str, where: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=where):
        read_graph(name, base=tmp_path)
