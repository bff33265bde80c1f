"""`tuneloop events ...`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Since = Annotated[
    str | None,
    typer.Option("--since", help=t("Only what came then or later: 2026-01-31, 2026-01-31T12:00 (UTC), 30m, 24h, 7d.")),
]
Until = Annotated[str | None, typer.Option("--until", help=t("Only what came before that."))]
Release = Annotated[str | None, typer.Option("--release", help=t("Only of this release."))]
Last = Annotated[int, typer.Option("--last", "-n", min=0, help=t("How many of the newest; 0 means all."))]
Store = Annotated[
    str | None,
    typer.Option("--store", help=t("postgresql://HOST/DATABASE; that of ./tuneloop.yaml or the workspace by default.")),
]

SHOWN_CHARS = 60


@app.command("list", help=t("The newest events: what was answered."))
def list_events(
    since: Since = None,
    until: Until = None,
    release: Release = None,
    last: Last = 20,
    store: Store = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The oldest of them first."""
    from dataclasses import asdict

    from tuneloop.api.events import event_counts, events
    from tuneloop.watch.times import shown

    root = workspace_root(workspace)
    found = list(events(root, since=since, until=until, release=release, last=last or None, store=store))
    found = found[::-1] if last else found
    if as_json:
        print_json([asdict(each) for each in found])
        return
    headers = [t("number"), t("time"), t("event"), t("release"), t("answer"), t("confidence"), t("text")]
    print_table(
        headers,
        [
            [each.number, shown(each.at), each.id, each.release, each.label or "", _share(each.confidence),
             _short(each.text or each.hash)]
            for each in found
        ],
    )  # fmt: skip
    counts = event_counts(root, store=store)
    say(t("In all: events {events}, feedback {feedback}.", events=counts.events, feedback=counts.feedback))


@app.command("feedback", help=t("The newest feedback: what people said of answers."))
def list_feedback(
    since: Since = None,
    until: Until = None,
    release: Release = None,
    last: Last = 20,
    store: Store = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The oldest of them first."""
    from dataclasses import asdict

    from tuneloop.api.events import feedback
    from tuneloop.watch.times import shown

    root = workspace_root(workspace)
    found = list(feedback(root, since=since, until=until, release=release, last=last or None, store=store))
    found = found[::-1] if last else found
    if as_json:
        print_json([{"feedback": asdict(said), "event": asdict(about)} for said, about in found])
        return
    headers = [t("time"), t("event"), t("release"), t("answer"), t("said to be right"), t("said by"), t("text")]
    print_table(
        headers,
        [
            [shown(said.at), about.id, about.release, about.label or "", _judgement(said.label, said.good), said.by,
             _short(said.comment or about.text or about.hash)]
            for said, about in found
        ],
    )  # fmt: skip


@app.command(help=t("Remove old events with the feedback on them."))
def prune(
    keep_days: Annotated[
        float, typer.Option("--keep-days", min=0, help=t("Days that are kept; events with younger feedback stay too."))
    ],
    store: Store = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The server does so by itself, by watch.keep_days."""
    from tuneloop.api.events import prune_events

    went = prune_events(keep_days, workspace_root(workspace), store=store)
    if as_json:
        print_json({"removed": went})
    else:
        say(t("{count} events removed.", count=went))


def _judgement(label: str | None, good: bool | None) -> str:
    if label is not None:
        return label
    return t("the answer") if good else t("not the answer")


def _share(confidence: float | None) -> Any:
    return "" if confidence is None else f"{confidence:.3f}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else line[:SHOWN_CHARS] + "..."
