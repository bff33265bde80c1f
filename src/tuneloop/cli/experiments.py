"""`tuneloop compare` and `tuneloop search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import (
    Address,
    AsJson,
    ConfigPath,
    OnRay,
    Quiet,
    Settings,
    Workers,
    overrides,
    print_json,
    print_table,
    say,
)
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME


def compare(
    config: ConfigPath = Path(CONFIG_NAME),
    methods: Annotated[str, typer.Option("--methods", help=t("Names with commas between, such as lora,full."))] = "",
    seeds: Annotated[str, typer.Option("--seeds", help=t("Numbers with commas between."))] = "",
    budgets: Annotated[
        str, typer.Option("--budgets", help=t("Labels of each class, with commas between, such as 8,32,all."))
    ] = "",
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Every method with every seed and every number of labels; the same command goes on after a stop."""
    from tuneloop import api
    from tuneloop.experiments.words import values

    given = {"methods": methods, "seeds": seeds, "budgets": budgets}
    lists = {f"comparison.{name}": values(text) for name, text in given.items() if text}
    found = api.compare(api.open_project(config, overrides=overrides(settings) | lists), quiet=quiet)
    print_json(found) if as_json else show_comparison(found)


def search(
    config: ConfigPath = Path(CONFIG_NAME),
    trials: Annotated[int, typer.Option("--trials", help=t("Trainings at most; search.trials by default."))] = 0,
    on: OnRay = "",
    workers: Workers = None,
    address: Address = "",
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Try settings, give up what is behind, keep the best run; the same command goes on after a stop."""
    from tuneloop import api

    given = {"search.trials": trials} if trials else {}
    project = api.open_project(config, overrides=overrides(settings) | given)
    found = api.search(project, on=on, workers=workers, address=address, quiet=quiet)
    print_json(found) if as_json else show_search(found)


def show_search(found: dict[str, Any]) -> None:
    """Every trial, the best first, and what to do next."""
    from tuneloop.experiments.search_page import headers, outcome, rows

    print_table(headers(found), rows(found))
    say(outcome(found))
    say(t("The report: {path}", path=found["report"]))
    say(t("Next: tuneloop release {run}", run=found["best"]["run"]))


def show_comparison(found: dict[str, Any]) -> None:
    """A table for each budget, and what to take."""
    from tuneloop.experiments.words import budget_name, headers, recommendation, rows

    for budget in found["budgets"]:
        title = budget_name(budget["budget"], classes=found["classes"])
        print_table(headers(found["metric"]), rows(budget, intervals=False), title=title)
        say(recommendation(found, budget))
    for method, why in [*found["refused"].items(), *found["failed"].items()]:
        say(t("Not in the table: {method}. {why}", method=method, why=why))
    say(t("The report: {path}", path=found["report"]))
