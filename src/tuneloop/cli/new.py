"""`tuneloop new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import print_table, say
from tuneloop.core.i18n import language, t


def new(
    name: Annotated[str, typer.Argument(help=t("The new folder."))] = "",
    template: Annotated[str, typer.Option("--template", "-T", help=t("Which application; --list shows all."))] = "",
    shown: Annotated[bool, typer.Option("--list", help=t("Show the templates and make nothing."))] = False,
) -> None:
    """A folder with data, pipeline, HTTP API, page and tests; its README says how to go on."""
    from tuneloop.apps.templates import TEMPLATES, create

    if shown or not name:
        about = [[each.name, each.about_zh if language() == "zh" else each.about] for each in TEMPLATES.values()]
        print_table([t("template"), t("what it does")], about)
        return
    folder: Path = create(name, template)
    say(t("Made {folder}. Go on with: cd {folder} && python pipeline.py && python app.py", folder=folder))
