"""`tuneloop correct ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import AsJson, print_json, print_table, say
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

if TYPE_CHECKING:
    from tuneloop.data.corrections import Correction

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Split = Annotated[str, typer.Argument(help=t("Where the row is: train, dev or test."))]
Row = Annotated[str, typer.Argument(help=t("The id of the row, as tuneloop check and the studio show it."))]
ConfigFile = Annotated[Path, typer.Option("--config", help=t("The configuration."))]
HERE = Path(CONFIG_NAME)
TEXT_CHARS = 60


@app.command(help=t("Give a row another label; the data file stays as it is."))
def label(
    split: Split,
    row: Row,
    label: Annotated[str, typer.Argument(help=t("The label that is right; several classes with ; between."))],
    config: ConfigFile = HERE,
) -> None:
    """It holds from the next snapshot on."""
    from tuneloop import api

    _tell(api.correct(split, row, label, config=config))


@app.command("leave-out", help=t("Leave a row out of the data; the data file stays as it is."))
def leave_out(split: Split, row: Row, config: ConfigFile = HERE) -> None:
    """It holds from the next snapshot on."""
    from tuneloop import api

    _tell(api.correct(split, row, leave_out=True, config=config))


@app.command(help=t("Take a correction back."))
def undo(
    id: Annotated[str, typer.Argument(help=t("Its name, as the list shows it; the last one by default."))] = "",
    config: ConfigFile = HERE,
) -> None:
    """It holds from the next snapshot on."""
    from tuneloop import api

    say(t("Taken back: {what}", what=_words(api.undo_correction(id, config=config))))
    say(t("Make the new snapshot with: tuneloop check"))


@app.command("list", help=t("What was corrected, and what the newest snapshot does not know yet."))
def list_(config: ConfigFile = HERE, as_json: AsJson = False) -> None:
    """The lines of the file that data.corrections names."""
    from tuneloop import api

    found = api.corrections(config)
    waiting = {each.id for each in found.state.pending}
    if as_json:
        print_json([each.as_json() | {"id": each.id, "built": each.id not in waiting} for each in found.state.lines])
        return
    rows = [[each.id, _words(each), t("waits") if each.id in waiting else ""] for each in found.state.lines]
    print_table([t("name"), t("correction"), ""], rows)
    if not found.current:
        say(t("Make the new snapshot with: tuneloop check"))


def _tell(found: Correction | None) -> None:
    say(t("The row is as the data has it.") if found is None else _words(found))
    say(t("Make the new snapshot with: tuneloop check"))


def _words(correction: Correction) -> str:
    """A correction in a line, which cannot steer the terminal."""
    from tuneloop.cli.asking import plain, shown
    from tuneloop.data.stored import plain_label

    was = "" if correction.was is None else shown(plain_label(correction.was))
    to = t("left out") if correction.label is None else shown(plain_label(correction.label))
    return plain(f"{was} -> {to}: {correction.text[:TEXT_CHARS]!r}")
