"""`tuneloop deploy`, `tuneloop rollback` and `tuneloop deployments`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t
from tuneloop.releases.deployment_words import criterion_rows, figure_rows, kinds, shadow_lines, stages, told_sentences

Why = Annotated[str, typer.Option("--why", help=t("The reason, for the record."))]
After = Annotated[
    int | None,
    typer.Option("--after", metavar="NUMBER", help=t("Only if this is still the number of the last change.")),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help=t("Only check, and tell what would be changed."))]


def deploy(
    release: Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))],
    shadow: Annotated[
        bool, typer.Option("--shadow", help=t("Only let it answer unseen, beside the current release."))
    ] = False,
    canary: Annotated[
        float | None,
        typer.Option(
            "--canary", metavar="SHARE", help=t("Only let it answer this share of the requests, such as 0.1.")
        ),
    ] = None,
    why: Why = "",
    after: After = None,
    dry_run: DryRun = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Servers that were started with the model's name follow within a second, and fail no request."""
    from tuneloop import api

    root = workspace_root(workspace)
    made = api.deploy(release, shadow=shadow, canary=canary, why=why, workspace=root, dry_run=dry_run, after=after)
    _show(made, as_json=as_json, dry_run=dry_run)


def rollback(
    name: Annotated[str, typer.Argument(help=t("The name of a model."))],
    why: Why = "",
    after: After = None,
    dry_run: DryRun = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Takes out what is being tried; where nothing is, goes back to the release before."""
    from tuneloop import api

    made = api.rollback(name, why=why, workspace=workspace_root(workspace), dry_run=dry_run, after=after)
    _show(made, as_json=as_json, dry_run=dry_run)


def deployments(
    name: Annotated[str | None, typer.Argument(help=t("The name of a model; all by default."))] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Of one model also its history, and the figures of what is being tried."""
    from tuneloop import api

    found = api.deployments(name, workspace=workspace_root(workspace))
    if as_json:
        print_json(found)
        return
    if not found:
        say(t("Nothing was deployed yet; servers answer with the newest release."))
        return
    headers = [t("model"), t("current"), t("one before"), t("being tried"), t("stage"), t("share"), t("tried since")]
    print_table(headers, [_row(each) for each in found])
    for each in found:
        _show_figures(each)
    if name is not None:
        headers = ["", t("when"), t("who"), t("what"), t("release"), t("why")]
        rows = [
            [
                str(each["number"]),
                _moment(each["at"]),
                each["who"],
                kinds()[each["kind"]],
                each["release"],
                each["why"],
            ]
            for each in found[0]["history"]
        ]
        print_table(headers, rows)


def _show(made: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(made)
        return
    if dry_run:
        say(t("Nothing was changed. What would be:"))
    for line in told_sentences(made):
        say(line)


def _row(found: dict[str, Any]) -> list[str]:
    tried = found["candidate"]
    last = [stages()[tried["stage"]], f"{tried['share']:.0%}", _moment(tried["at"])] if tried else ["", "", ""]
    return [found["name"], found["current"], found["before"] or "", tried["release"] if tried else "", *last]


def _show_figures(found: dict[str, Any]) -> None:
    """Both sides of what is being tried, as each server has counted them, and all of them together."""
    tried = found["candidate"]
    if tried is None:
        return
    if not found["figures"]:
        say(t("No server has counted anything of {release} yet.", release=tried["release"]))
    headers = [t("share of"), found["current"], t("of"), tried["release"], t("of"), t("what can be said")]
    if found["together"]:
        title = t("{release} on all {count} servers", release=tried["release"], count=len(found["figures"]))
        print_table(headers, list(criterion_rows(found["together"])), title=title)
    for server, figures in found["figures"].items():
        title = t("{release} on {server}", release=tried["release"], server=server)
        print_table(headers, list(figure_rows(figures)), title=title)
        for line in shadow_lines(figures["shadow"]):
            say(line)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
