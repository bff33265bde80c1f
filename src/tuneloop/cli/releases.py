"""`tuneloop release` and `tuneloop releases ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))]


def release(
    run: Annotated[str, typer.Argument(help=t("A finished run; the newest by default."))] = "latest",
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate on the test split, export the inference forms, compare each with the evaluated model, write."""
    from tuneloop import api
    from tuneloop.core.config import parse_config
    from tuneloop.tasks import task_class

    made = api.release(run, workspace=workspace_root(workspace), quiet=quiet)
    if as_json:
        print_json(made.info)
        return
    show_forms(made.info)
    say(t("Release {name} answers with {engine}: {path}", name=made.id, engine=made.engine, path=made.path))
    writes = task_class(parse_config(made.info["config"]).task).generates
    say(
        t("Next: tuneloop predict {name} FILE", name=made.id)
        if writes
        else t("Next: tuneloop serve {name}", name=made.id)
    )


def show_forms(info: dict[str, Any]) -> None:
    """How each form of a release did against the evaluated model."""
    headers = [t("form"), t("texts/s"), t("largest difference"), t("agreement"), t("loss"), t("neighbours"), ""]
    rows = []
    for name, form in info["forms"].items():
        keys = ("max_difference", "agreement", "loss", "batch_effect")
        figures = [f"{form[key]:.4f}" if form.get(key) is not None else "" for key in keys]
        verdict = t("default") if name == info["engine"] else "" if form["accepted"] else t("refused")
        rows.append([name, f"{form['texts_per_s']:.0f}" if "texts_per_s" in form else "", *figures, verdict])
    print_table(headers, rows, title=info["id"])


@app.command("list", help=t("Every release, the oldest first."))
def list_releases(workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """A line each."""
    from tuneloop import api

    found = api.releases(workspace=workspace_root(workspace))
    if as_json:
        print_json([vars(row) for row in found])
        return
    headers = [t("release"), t("created"), t("engine"), t("run"), t("data")]
    print_table(headers, [[r.id, r.created[:19], r.engine, r.run, r.data_hash[:12]] for r in found])


@app.command(help=t("One release: figures, forms, where it comes from."))
def show(name: Name, workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """What release.json and evaluation.json say."""
    from tuneloop import api
    from tuneloop.cli.evaluation import show_evaluation

    found = api.load(name, workspace=workspace_root(workspace))
    if as_json:
        print_json(found.info | {"evaluation": found.evaluation})
        return
    show_forms(found.info)
    show_evaluation(found.evaluation)
    say(
        t("Run {run}, data {data}, folder {path}", run=found.info["run"], data=found.info["data_hash"], path=found.path)
    )


@app.command(help=t("What differs between two releases, and whether one is really better."))
def diff(first: Name, second: Name, workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """Settings, data and figures that differ."""
    from tuneloop import api

    found = api.diff(first, second, workspace=workspace_root(workspace))
    if as_json:
        print_json(found)
        return
    kinds = {"config": t("setting"), "data": t("data"), "metrics": t("metric")}
    rows = [[kinds[kind], key, *map(_short, values)] for kind in kinds for key, values in found[kind].items()]
    print_table(["", t("what"), first, second], rows)
    say(found["paired"]["sentence"] if "paired" in found else found.get("unpaired", ""))


@app.command(help=t("Copy a release, every file checked, to a folder of your own."))
def export(
    name: Name,
    target: Annotated[Path, typer.Argument(help=t("A folder that does not exist yet."))],
    workspace: WorkspacePath = None,
) -> None:
    """A plain Hugging Face folder with everything in it."""
    from tuneloop import api

    say(t("Wrote {path}", path=api.export(name, target, workspace=workspace_root(workspace))))


@app.command(help=t("Rebuild the index from the release folders."))
def reindex(workspace: WorkspacePath = None) -> None:
    """For a lost or damaged index.sqlite."""
    from tuneloop import api

    say(t("{count} releases are in the index.", count=len(api.reindex(workspace=workspace_root(workspace)))))


def _short(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        return f"{value['value']:.3f}"
    return "" if value is None else str(value)[:60]
