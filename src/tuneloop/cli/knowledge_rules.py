"""`tuneloop knowledge check`, `facts`, `path` and `attach`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

if TYPE_CHECKING:
    from tuneloop.knowledge.facts import Case
    from tuneloop.knowledge.rules import RuleBook
    from tuneloop.knowledge.rules_check import Finding, Trial

GraphFile = Annotated[str, typer.Option("--graph", help=t("A file of facts: .csv, .tsv, .nt or .kg."))]
Names = Annotated[
    list[str] | None, typer.Option("--names", help=t("A file of entity and name for the graph. Repeatable."))
]


def register(app: typer.Typer) -> None:
    """Add the commands to `tuneloop knowledge`."""
    app.command("check", help=t("Find rules that contradict each other or can never act."))(check)
    app.command("facts", help=t("What a graph knows of the entities in a text."))(facts)
    app.command("path", help=t("How two entities of a graph hang together."))(path)
    app.command("attach", help=t("Put other rules into a finished run; no new training."))(attach)


def check(
    file: Annotated[Path, typer.Argument(help=t("A YAML file of rules."))],
    lexicon: Annotated[
        list[str] | None,
        typer.Option("--lexicon", help=t("A file of terms; those of ./tuneloop.yaml by default. Repeatable.")),
    ] = None,
    graph: Annotated[
        str | None, typer.Option("--graph", help=t("A file of facts; that of ./tuneloop.yaml by default."))
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help=t("A file of texts to try the rules on."))] = None,
    run: Annotated[
        str | None, typer.Option("--run", help=t("A run or release whose answers the rules are tried on."))
    ] = None,
    text: Annotated[str, typer.Option("--text", help=t("The column of the text in --data."))] = "text",
    pair: Annotated[str | None, typer.Option("--pair", help=t("The column of the second text in --data."))] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Conflicts, rules that can never act, unknown names; how often each rule holds on real rows."""
    from tuneloop import api
    from tuneloop.inference.ruling import KINDS
    from tuneloop.knowledge.outcomes import kind_of
    from tuneloop.knowledge.rules_check import FAILING, try_rules
    from tuneloop.knowledge.rules_check import check as check_rules

    book = _book(file, lexicon, graph)
    found = api.find(run, workspace=workspace_root(workspace)) if run else None
    predictor = None if found is None else found.handle() if hasattr(found, "handle") else found.predictor()
    try:
        task = predictor.task if predictor else None
        kind = KINDS.get(task.name) if task else None
        findings = check_rules(book, kind=kind, labels=task.labels if task else ())
        trial = None
        if data:
            trial = try_rules(book, _cases(data, text, pair, predictor), kind=kind or kind_of(book.rules))
    finally:
        if predictor:
            predictor.close()
    if as_json:
        plain = {"findings": [each.to_json() for each in findings], "trial": trial and trial.to_json()}
        print_json({"rules": len(book.rules)} | plain)
    else:
        _show(book, findings, trial)
    if any(each.kind in FAILING for each in findings):
        raise typer.Exit(2)


def facts(
    text: Annotated[str, typer.Argument(help=t("A text that names entities."))],
    graph: GraphFile,
    names: Names = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help=t("Facts at most."))] = 10,
    as_json: AsJson = False,
) -> None:
    """The entities that are named, and facts about them."""
    from tuneloop.knowledge.graph_files import read_graph

    known = read_graph(graph, base=Path.cwd(), names=tuple(names or ()))
    links, sentences = known.link(text), known.facts(text, limit)
    if as_json:
        found = [{"start": x.start, "end": x.end, "name": x.name, "candidates": dict(x.candidates)} for x in links]
        print_json({"entities": found, "facts": sentences})
        return
    rows = [[x.name, x.entity, ", ".join(entity for entity, _ in x.candidates[1:])] for x in links]
    print_table([t("name"), t("entity"), t("could also be")], rows)
    for sentence in sentences:
        print(sentence)


def path(
    first: Annotated[str, typer.Argument(help=t("The name or id of an entity."))],
    second: Annotated[str, typer.Argument(help=t("The name or id of another one."))],
    graph: GraphFile,
    names: Names = None,
    hops: Annotated[int, typer.Option("--hops", min=1, help=t("Facts on a path at most."))] = 3,
    limit: Annotated[int, typer.Option("--limit", min=1, help=t("Paths at most."))] = 10,
    as_json: AsJson = False,
) -> None:
    """The shortest paths, whatever the direction of their facts."""
    from tuneloop.knowledge.graph_files import read_graph

    known = read_graph(graph, base=Path.cwd(), names=tuple(names or ()))
    found = known.paths(first, second, hops=hops, limit=limit)
    if as_json:
        print_json([[each._asdict() for each in one] for one in found])
        return
    for one in found:
        print("; ".join(known.sentence(each) for each in one))
    if not found:
        say(t("No path of at most {hops} facts.", hops=hops))


def attach(
    run: Annotated[str, typer.Argument(help=t("A finished run; the newest by default."))] = "latest",
    config: Annotated[
        Path, typer.Option("--config", help=t("The configuration whose section knowledge holds."))
    ] = Path(CONFIG_NAME),
    workspace: WorkspacePath = None,
) -> None:
    """Copy lexicons, rules and graph into the run; the next release evaluates it anew."""
    from tuneloop.api import open_project
    from tuneloop.core.paths import Workspace
    from tuneloop.training.attach import attach as attach_knowledge
    from tuneloop.training.run import open_run

    project = open_project(config)
    place = Workspace(workspace) if workspace else project.workspace
    found = open_run(run, place)
    attach_knowledge(found, project.config.knowledge, base=project.base, workspace=place)
    say(t("The knowledge is in {path}. Next: tuneloop release {run}", path=found.model_path, run=found.id))


def _book(file: Path, lexicon: list[str] | None, graph: str | None) -> RuleBook:
    """The rules with lexicons and graph: those given, else those of ./tuneloop.yaml."""
    from tuneloop.api import open_project
    from tuneloop.core.knowledge import KnowledgeConfig
    from tuneloop.knowledge.graph_files import read_graph
    from tuneloop.knowledge.lexicon_files import read_lexicon
    from tuneloop.knowledge.rules import read_rules

    config, base = KnowledgeConfig(), Path.cwd()  # type: ignore[call-arg]
    if Path(CONFIG_NAME).is_file():
        config = open_project().config.knowledge
    lexicons = [read_lexicon(each, base=base) for each in (lexicon or config.lexicons)]
    source = graph or config.graph
    known = read_graph(source, base=base, names=config.names if graph is None else ()) if source else None
    return read_rules(file, lexicons=lexicons, graph=known)


def _cases(data: Path, text: str, pair: str | None, predictor: Any) -> Iterator[Case]:
    """The rows of a file as rules look at them, with the answers of a model if there is one."""
    from tuneloop.data.readers import read_table
    from tuneloop.inference.ruling import KINDS, case_of
    from tuneloop.knowledge.facts import Case

    table = read_table(str(data), base=Path.cwd())
    texts = [str(each or "") for each in table.column(text, setting="--text")]
    pairs = [str(each or "") for each in table.column(pair, setting="--pair")] if pair else None
    if predictor is None:
        yield from (Case(one, other) for one, other in zip(texts, pairs or [""] * len(texts), strict=True))
        return
    inputs = predictor.mended(list(zip(texts, pairs, strict=True)) if pairs else texts)
    predictions = predictor.task.predictions(predictor.scores(inputs))
    for item, prediction in zip(inputs, predictions, strict=True):
        yield case_of(item, prediction, kind=KINDS[predictor.task.name])


def _show(book: RuleBook, findings: list[Finding], trial: Trial | None) -> None:
    kinds = {
        "conflict": t("conflict"), "unreachable": t("never acts"), "unknown": t("unknown"),
        "shadowed": t("changes nothing"), "unused": t("unused"), "terms": t("terms"),
    }  # fmt: skip
    if findings:
        print_table([t("finding"), t("what")], [[kinds[each.kind], each.sentence] for each in findings])
    else:
        say(t("Rules: {count}. Nothing is wrong with them.", count=len(book.rules)))
    if trial is not None:
        counts = [(rule.name, trial.held, trial.changed, trial.beaten, trial.broken) for rule in book.rules]
        rows = [[name, *(each[name] for each in found)] for name, *found in counts]
        headers = [t("rule"), t("held"), t("changed"), t("beaten"), t("broken")]
        print_table(headers, rows, title=t("{rows} rows", rows=trial.rows))
        for (first, second), count in trial.collisions.items():
            say(
                t(
                    "{first} and {second} want different answers in {count} rows.",
                    first=first,
                    second=second,
                    count=count,
                )
            )
