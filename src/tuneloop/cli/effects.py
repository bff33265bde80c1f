"""`tuneloop effect`."""

from __future__ import annotations

from typing import Annotated

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t


def effect(
    release: Annotated[str, typer.Argument(help=t("A release or run; a model's name means its newest."))],
    feature: Annotated[str, typer.Argument(help=t("A word or phrase that test rows have."))],
    to: Annotated[str | None, typer.Option("--to", help=t("The phrase that is put in its place."))] = None,
    regex: Annotated[bool, typer.Option("--regex", help=t("The feature is a regular expression."))] = False,
    category: Annotated[bool, typer.Option("--category", help=t("The feature is a category of a lexicon."))] = False,
    confounder: Annotated[
        list[str] | None,
        typer.Option("--confounder", help=t("A column, or length, to adjust the observed difference for. Repeatable.")),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=10, help=t("Test rows to look at, at most."))] = 500,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """What a word does to the answers: test rows are asked for with it and without it."""
    from tuneloop import api
    from tuneloop.core.errors import ConfigError
    from tuneloop.explain import causal

    if regex and category:
        raise ConfigError(t("A feature is a regular expression or a category, not both."), t("Leave one option out."))
    found = api.effect(
        release, feature, kind="regex" if regex else "category" if category else "phrase", after=to,
        confounders=tuple(confounder or ()), rows=rows, workspace=workspace_root(workspace),
    ).to_json()  # fmt: skip
    if as_json:
        print_json(found)
        return
    print_table(causal.headers(found), causal.table_rows(found), title=found["feature"])
    for sentence in causal.sentences(found):
        say(sentence)
