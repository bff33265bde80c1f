"""`tuneloop label forecast`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, ConfigPath, Quiet, Settings, overrides, print_json, print_table, say
from tuneloop.core.i18n import t
from tuneloop.core.paths import CONFIG_NAME


def forecast(
    config: ConfigPath = Path(CONFIG_NAME),
    more: Annotated[
        int | None, typer.Option("--more", min=1, help=t("Labels that are thought of; forecast.more by default."))
    ] = None,
    encoder: Annotated[str, typer.Option("--encoder", help=t("A model source; model.source by default."))] = "",
    settings: Settings = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What more labels would bring, what they would cost, and whether to go on."""
    from tuneloop import api

    project = api.open_project(config, overrides=overrides(settings))
    found = api.label_forecast(project, more=more, encoder=encoder, quiet=quiet)
    print_json(found) if as_json else show_forecast(found)


def show_forecast(found: dict[str, Any]) -> None:
    """The curve, the forecast with its interval, the cost and the advice."""
    from tuneloop.evaluation.names import figure_text, metric_name

    now, then = found["labels"], found["labels"] + found["more"]
    measured = [[each["labels"], t("measured"), f"{each['score']:.3f}"] for each in found["measured"]]
    carried_on = [
        [now, t("by the curve"), figure_text(found["score"])],
        [then, t("by the curve"), figure_text(found["then"])],
    ]
    title = t("A linear model on vectors of the encoder, judged by rows held out")
    print_table([t("labels"), "", metric_name(found["metric"])], measured + carried_on, title=title)
    say(t("{more} more labels would bring {gain} and take {hours:.1f} hours.", more=found["more"],
          gain=_gain_text(found["gain"]), hours=found["hours"]))  # fmt: skip
    if found["cost"]:
        say(t("They would cost {cost:,.2f}.", cost=found["cost"]))
    say(t("No number of labels would bring this model beyond {limit}.", limit=figure_text(found["limit"])))
    if "goal" in found:
        say(goal_text(found["goal"]))
    say(advice(found))


def advice(found: dict[str, Any]) -> str:
    """What to do, in a sentence."""
    worth = f"{100 * found['worth']:g}"
    if found["verdict"] == "go":
        return t("Go on: even the low end of the gain is at least {worth} points.", worth=worth)
    if found["verdict"] == "stop":
        return t("Stop: even the high end of the gain is below {worth} points.", worth=worth)
    return t("Unclear: the gain may be more or less than {worth} points. Label a part of them, then ask again.",
             worth=worth)  # fmt: skip


def goal_text(goal: dict[str, Any]) -> str:
    """How many labels a goal needs."""
    if goal["labels"] is None:
        return t("The goal {score:g} is out of reach of this model, by the curve.", score=goal["score"])
    return t("The goal {score:g} needs {labels:,} labels, by the curve.", score=goal["score"], labels=goal["labels"])


def _gain_text(gain: dict[str, float]) -> str:
    return t("{value:+.1f} points ({low:+.1f} to {high:+.1f})", **{name: 100 * each for name, each in gain.items()})
