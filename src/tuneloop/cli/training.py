"""`tuneloop pretrain` and `tuneloop tune`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import (
    Address,
    AsJson,
    ConfigPath,
    Quiet,
    Settings,
    Workers,
    overrides,
    print_json,
    print_table,
    say,
)
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME

if TYPE_CHECKING:
    from tuneloop.training.plan import Plan


def pretrain(
    config: ConfigPath = Path(CONFIG_NAME),
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Masked language modelling on texts without labels. Stopped, the same command goes on."""
    from tuneloop import api

    project = api.open_project(config, overrides=overrides(settings))
    made = api.pretrain(project, quiet=quiet)
    if as_json:
        print_json({"path": str(made.path)} | made.info)
    else:
        say(t("Of the hidden tokens of {count} texts held out, {share:.1%} are guessed (loss {loss:.3f}).",
              count=made.info["texts"]["dev"], share=made.info["dev"]["masked_accuracy"],
              loss=made.info["dev"]["loss"]))  # fmt: skip
        if made.info["new_head"]:
            say(t("The model it went on from could not guess tokens: that part of it was new."))
    source = f"{project.config.workspace}/encoders/{made.path.name}"
    if project.config.pretraining.source == "scratch":
        source += " --set model.pooling=mean"  # its first token has never had to stand for a text
    say(t("Next: tuneloop tune --set model.source={source}", source=source))


def tune(
    config: ConfigPath = Path(CONFIG_NAME),
    resume: Annotated[bool, typer.Option("--resume", help=t("Go on with a run that was stopped."))] = False,
    run: Annotated[str, typer.Option("--run", help=t("Which run to resume; the newest by default."))] = "latest",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=t("Only print rows, tokens, steps, parameters, time and memory."))
    ] = False,
    on: Annotated[str, typer.Option("--on", help=t("torchrun or ray: train with several processes."))] = "",
    workers: Workers = None,
    restarts: Annotated[
        int, typer.Option("--restarts", min=0, help=t("How often they start again after one has died."))
    ] = 3,
    address: Address = "",
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train, and keep the weights that were best on dev."""
    from tuneloop import api
    from tuneloop.training.distributed.ranks import is_first

    project = api.open_project(config, overrides=overrides(settings))
    if dry_run:
        if on:
            raise ConfigError(t("--dry-run measures one process; it knows nothing of --on."), t("Leave --on out."))
        planned = api.plan(project, quiet=quiet)
        print_json(asdict(planned)) if as_json else _show_plan(planned)
        return
    finished = api.tune(
        project, resume=run if resume else None, on=on, workers=workers, restarts=restarts, address=address, quiet=quiet
    )
    if not on and not is_first():  # of several that torchrun has started
        return
    if as_json:
        print_json({"run": finished.id} | finished.info)
    else:
        for name, value in finished.info["best_dev"].items():
            say(t("Run {run}: dev {metric} {value:.3f}", run=finished.id, metric=name, value=value))
    say(t("Next: tuneloop release {run}   (evaluates on the test split and exports)", run=finished.id))


def _show_plan(planned: Plan) -> None:
    print_table([t("what"), t("planned")], planned.rows())
