"""`tuneloop knowledge`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuneloop.cli import knowledge_rules
from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.knowledge.index import Added

app = typer.Typer(
    help=t("Documents, graphs, lexicons and rules that answers rest on."), no_args_is_help=True, rich_markup_mode=None
)
knowledge_rules.register(app)

IndexName = Annotated[str, typer.Option("--name", "-n", help=t("The index, when there are several."))]
Question = Annotated[str, typer.Argument(help=t("What is asked."))]
HowMany = Annotated[int, typer.Option("--passages", "-k", min=1, help=t("Passages that are looked at."))]
SearchMode = Annotated[
    str | None, typer.Option("--mode", help=t("hybrid, bm25 (by words) or vector (by meaning); hybrid by default."))
]


@app.command(help=t("Take in files, folders or patterns; what has not changed is skipped."))
def add(
    sources: Annotated[
        list[str], typer.Argument(metavar="PATH...", help=t("txt, md, html, pdf, docx; csv, tsv, jsonl of passages."))
    ],
    name: IndexName = "default",
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help=t("The embedding model of a new index: a release, a model source, or none.")),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", help=t("Letters of a chunk at most, for a new index; 800 by default."))
    ] = None,
    overlap: Annotated[
        int | None, typer.Option("--overlap", help=t("Letters that a chunk repeats of the one before; 100 by default."))
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help=t("Remove documents of these folders whose file is no longer there."))
    ] = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Each document is kept by itself: after an interruption the same command goes on."""
    from tuneloop.releases.knowledge import open_knowledge

    place = workspace_root(workspace)
    with open_knowledge(name, workspace=place, create=True, encoder=encoder, size=size, overlap=overlap) as index:
        done = index.add(sources, prune=prune, quiet=quiet)
    if as_json:
        print_json(vars(done))
    else:
        _tell(done)
    if done.failed:
        raise typer.Exit(2)


@app.command(help=t("The passages that have most to do with a question."))
def search(
    question: Question,
    name: IndexName = "default",
    passages: HowMany = 5,
    mode: SearchMode = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """By words, by meaning, or by both."""
    from tuneloop.releases.knowledge import open_knowledge

    with open_knowledge(name, workspace=workspace_root(workspace), words_only=mode == "bm25") as index:
        hits = index.search(question, k=passages, mode=mode)  # type: ignore[arg-type]
    if as_json:
        print_json(
            [hit.passage._asdict() | {"score": hit.score, "bm25": hit.bm25, "cosine": hit.cosine} for hit in hits]
        )
        return
    for number, hit in enumerate(hits, 1):
        print(f"[{number}] {_where(hit.passage)}  {hit.score:.3f}\n{hit.passage.text}\n")
    if not hits:
        say(t("No passage has anything to do with the question."))


@app.command(help=t("An answer that says where it stands written, or that nothing supports one."))
def ask(
    question: Question,
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", help=t("The index; that of the release or else default, if not given.")),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option(
            "--release", help=t("A release: it writes the answer if it can, from its documents if it has any.")
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help=t("Or a pretrained language model that does: a model source."))
    ] = None,
    passages: HowMany = 5,
    mode: SearchMode = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help=t("Support from which a question is answered, 0 to 1.")),
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Without a model that writes, the answer is in quotations."""
    from tuneloop import api
    from tuneloop.knowledge.answers import ask as ask_index
    from tuneloop.releases.knowledge import by_rules, documents_of, open_knowledge, open_writing, writing_of

    place = workspace_root(workspace)
    found = api.load(release, workspace=place) if release else None
    own = found is not None and name is None and found.documents is not None
    with (
        documents_of(found)
        if found and own
        else open_knowledge(name or "default", workspace=place, words_only=mode == "bm25") as index
    ):
        if own and model is None:
            writer = writing_of(found.predictor())  # type: ignore[union-attr]
        else:
            writer = open_writing(release=found, model=model) if found or model else None
        answer = ask_index(question, index, writer=writer, k=passages, mode=mode, threshold=threshold)  # type: ignore[arg-type]
        if writer is not None:
            answer = by_rules(answer, writer.predictor)
    if as_json:
        print_json(answer.to_json())
        return
    print(t("Nothing in the documents supports an answer.") if answer.abstained else answer.text)
    for citation in answer.citations:
        print(f"[{citation.number}] {_where(citation)}, {citation.start}-{citation.end}")
    say(answer.why)


@app.command(help=t("Remove documents, or all below a folder."))
def remove(
    documents: Annotated[list[str], typer.Argument(metavar="NAME...", help=t("As the list names them."))],
    name: IndexName = "default",
    workspace: WorkspacePath = None,
) -> None:
    """With all their passages and vectors."""
    from tuneloop.releases.knowledge import open_knowledge

    with open_knowledge(name, workspace=workspace_root(workspace), words_only=True) as index:
        removed = index.remove(documents)
    say(t("Removed {count} documents.", count=len(removed)))


@app.command("list", help=t("Every document of an index."))
def list_documents(name: IndexName = "default", workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """A line each."""
    from tuneloop.releases.knowledge import knowledge_names, open_knowledge

    place = workspace_root(workspace)
    with open_knowledge(name, workspace=place, words_only=True) as index:
        found, settings = index.documents(), index.settings
    if as_json:
        print_json({"name": name, "settings": settings, "documents": [entry._asdict() for entry in found]})
        return
    headers = [t("document"), t("chunks"), t("characters"), t("added")]
    print_table(headers, [[entry.name, entry.chunks, entry.characters, entry.added] for entry in found])
    others = [each for each in knowledge_names(workspace=place) if each != name]
    if others:
        say(t("Other indexes: {names}.", names=", ".join(others)))


def _where(place: Any) -> str:
    page = [] if place.page is None else [t("page {number}", number=place.page)]
    return ", ".join([place.document, *filter(None, [place.section]), *page])


def _tell(done: Added) -> None:
    say(
        t("Added {added}, changed {changed}, unchanged {unchanged} documents.", added=len(done.added),
          changed=len(done.changed), unchanged=len(done.unchanged))
    )  # fmt: skip
    for name in done.vanished:
        say(
            t("Removed, its file is gone: {name}", name=name)
            if done.pruned
            else t("Its file is gone: {name}", name=name)
        )
    if done.vanished and not done.pruned:
        say(t("Run the command again with --prune to remove them."))
    for problem in done.failed.values():
        say(problem)
    if done.failed:
        say(t("Not read: {count} documents; the index holds what it held of them.", count=len(done.failed)))
