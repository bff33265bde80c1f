"""`tuneloop evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t


def evaluate(
    target: Annotated[str, typer.Argument(help=t("A run or a release; the newest run by default."))] = "latest",
    against: Annotated[
        str | None, typer.Option("--against", help=t("A release to compare with; the newest by default."))
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help=t("A labelled file; the untouched test split by default."))
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Figures with 95 % intervals, beside the baselines and the release before."""
    from tuneloop import api

    found = api.evaluate(target, against=against, data=data, workspace=workspace_root(workspace), quiet=quiet)
    print_json(found) if as_json else show_evaluation(found)


def show_evaluation(found: dict[str, Any]) -> None:
    """The figures of an evaluation, the baselines beside them, and what the comparisons say."""
    from tuneloop.evaluation.limits import about_training
    from tuneloop.evaluation.names import figure_text, metric_name, model_name
    from tuneloop.evaluation.paired import sentence

    baselines = found["baselines"]
    rows = [
        [metric_name(name), figure_text(figure), *(figure_text(other.get(name)) for other in baselines.values())]
        for name, figure in found["metrics"].items()
        if any(each.get(name, {}).get("value") is not None for each in (found["metrics"], *baselines.values()))
    ]
    title = t("{rows} rows of the {split} split", rows=found["rows"], split=found["split"])
    print_table([t("metric"), t("the model"), *map(model_name, baselines)], rows, title=title)
    known = {name: figure for name, figure in found.get("answers", {}).items() if figure["value"] is not None}
    if known:
        figures = ", ".join(f"{metric_name(name)} {figure_text(figure)}" for name, figure in known.items())
        say(t("Of the references themselves: {figures}", figures=figures))
    for comparison in found["comparisons"]:
        say(sentence(comparison, t("The model"), model_name(comparison["against"])))
    if found.get("rows_seen"):
        say(about_training(found))
    if found.get("rules"):
        from tuneloop.evaluation.report_rules import comparison, headers
        from tuneloop.evaluation.report_rules import rows as rows_of

        print_table(headers()[:-1], [row[:-1] for row in rows_of(found["rules"])], title=t("Rules"))
        say(comparison(found["rules"]))
    if found.get("report"):
        say(t("The report: {path}", path=found["report"]))
