"""`tuneloop prefer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, say, workspace_root
from tuneloop.core.i18n import t


def prefer(
    first: Annotated[str, typer.Argument(help=t("A run or a release."))],
    second: Annotated[str, typer.Argument(help=t("Another one, evaluated on the same data."))],
    rows: Annotated[int, typer.Option("--rows", min=1, help=t("Prompts to judge at most."))] = 100,
    output: Annotated[Path | None, typer.Option("--output", "-o", help=t("Where the page is written."))] = None,
    judgements: Annotated[Path | None, typer.Option("--import", help=t("The file that the page has saved."))] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help=t("A file of prompts to judge; those of the test split by default."))
    ] = None,
    chosen: Annotated[
        Path | None, typer.Option("--chosen", help=t("Also write the preferences as JSON lines to learn from (DPO)."))
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """A page to judge two models' answers blindly; with --import, what the judgements say."""
    from tuneloop import api
    from tuneloop.core.paths import Workspace
    from tuneloop.evaluation.preferences import verdict
    from tuneloop.releases.preferences import judge, write_page

    place = Workspace(workspace_root(workspace))
    pair = api.find(first, workspace=place.root), api.find(second, workspace=place.root)
    if judgements is None:
        page = write_page(*pair, rows=rows, output=output, workspace=place, data=data)
        if as_json:
            print_json({"page": str(page)})
            return
        say(t("Open this page in a browser: {path}", path=page))
        given = f" --data {data}" if data else ""
        say(t("Then: tuneloop prefer {a} {b} --import FILE", a=first, b=second + given))
        return
    found = judge(*pair, judgements, workspace=place, data=data, chosen=chosen)
    if chosen is not None and found["test_rows"]:
        say(
            t(
                "Rows of test among these prompts: {count}. Give a run that learns from them another test file "
                "(data.test), or judge prompts of another file (--data): on the same rows it looks better than it is.",
                count=found["test_rows"],
            )
        )
    if as_json:
        print_json(found)
        return
    for sentence in verdict(found):
        say(sentence)
