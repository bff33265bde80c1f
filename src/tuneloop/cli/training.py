"""`tuneloop tune`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import AsJson, ConfigPath, Quiet, Settings, overrides, print_json, print_table, say
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

if TYPE_CHECKING:
    from tuneloop.training.plan import Plan


def tune(
    config: ConfigPath = Path(CONFIG_NAME),
    resume: Annotated[bool, typer.Option("--resume", help=t("Go on with a run that was stopped."))] = False,
    run: Annotated[str, typer.Option("--run", help=t("Which run to resume; the newest by default."))] = "latest",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=t("Only print rows, tokens, steps, parameters, time and memory."))
    ] = False,
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train, and keep the weights that were best on dev."""
    from tuneloop import api

    project = api.open_project(config, overrides=overrides(settings))
    if dry_run:
        planned = api.plan(project, quiet=quiet)
        print_json(asdict(planned)) if as_json else _show_plan(planned)
        return
    finished = api.tune(project, resume=run if resume else None, quiet=quiet)
    if as_json:
        print_json({"run": finished.id} | finished.info)
    else:
        for name, value in finished.info["best_dev"].items():
            say(t("Run {run}: dev {metric} {value:.3f}", run=finished.id, metric=name, value=value))
    say(t("Next: tuneloop release   (evaluates on the test split and exports)"))


def _show_plan(planned: Plan) -> None:
    print_table([t("what"), t("planned")], planned.rows())
