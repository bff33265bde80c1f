"""`tuneloop weak table` and `label`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, ConfigPath, Quiet, Settings, overrides, print_json, print_table, say
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("table", help=t("Coverage, overlap, conflict and accuracy of labelling functions."))
def table(
    config: ConfigPath = Path(CONFIG_NAME), settings: Settings = None, as_json: AsJson = False, quiet: Quiet = False
) -> None:
    """What each function says of the texts, how often it is right on dev, and what a model of all of them is worth."""
    from tuneloop import api
    from tuneloop.core.project import open_project

    found = api.weak_table(open_project(config, overrides=overrides(settings)), quiet=quiet)
    print_json(found) if as_json else show(found)


@app.command("label", help=t("Label texts by functions; write rows with probabilities to train on."))
def label(
    to: Annotated[Path, typer.Option("--to", help=t("The file of JSON lines to write."))],
    config: ConfigPath = Path(CONFIG_NAME),
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """A row for each text of which a function speaks: text, label, probabilities, functions."""
    from tuneloop import api
    from tuneloop.core.project import open_project

    found = api.weak_label(open_project(config, overrides=overrides(settings)), to=to, quiet=quiet)
    if as_json:
        print_json(found)
        return
    show(found)
    written = found["written"]
    say(t("{rows} rows are in {path}; {left} texts without a vote are left out.", rows=f"{written['rows']:,}",
          path=written["path"], left=f"{written['left_out']:,}"))  # fmt: skip
    for path in written["beside"].values():
        say(t("Rows labelled by people are in {path}.", path=path))
    dev, test = (written["beside"].get(name, "...") for name in ("dev", "test"))
    say(t("Train on it with data.source: {path}, data.dev: {dev}, data.test: {test} and task.probabilities: "
          "probabilities.", path=written["path"], dev=dev, test=test))  # fmt: skip


def show(found: dict[str, Any]) -> None:
    """The table and what it means."""
    from tuneloop.weak.page import headers, rows, sentences

    print_table(headers(found), rows(found))
    for sentence in sentences(found):
        say(sentence)
    say(t("The report: {path}", path=found["report"]))
