"""`tuneloop release` and `tuneloop releases ...`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))]


def release(
    run: Annotated[str, typer.Argument(help=t("A finished run; the newest by default."))] = "latest",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help=t("Whose sections audit (the gate) and release.exits count; those of the run by default.")
        ),
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Evaluate on the test split, export the inference forms, compare each with the evaluated model, write."""
    from tuneloop import api

    made = api.release(run, config=config, workspace=workspace_root(workspace), quiet=quiet)
    if as_json:
        print_json(made.info)
        return
    show_forms(made.info)
    _tell_exits(made.info)
    say(t("Release {name} answers with {engine}: {path}", name=made.id, engine=made.engine, path=made.path))
    say(t("Next: tuneloop serve {name}", name=made.id))


def _tell_exits(info: dict[str, Any]) -> None:
    """Who leaves the model early, where that was asked for."""
    if "exits" in info:
        from tuneloop.releases.exits_words import told

        for sentence in told(info):
            say(sentence)


def show_forms(info: dict[str, Any]) -> None:
    """How each form of a release did against the evaluated model."""
    from tuneloop.releases.calibration import told

    headers = [t("form"), t("texts/s"), t("largest difference"), t("agreement"), t("loss"), t("neighbours"), ""]
    rows = []
    for name, form in info["forms"].items():
        keys = ("max_difference", "agreement", "loss", "batch_effect")
        figures = [f"{form[key]:.4f}" if form.get(key) is not None else "" for key in keys]
        verdict = t("default") if name == info["engine"] else "" if form["accepted"] else t("refused")
        rows.append([name, f"{form['texts_per_s']:.0f}" if "texts_per_s" in form else "", *figures, verdict])
    print_table(headers, rows, title=info["id"])
    for name, form in info["forms"].items():
        if "error" in form:
            say(f"{name}: {form['error']}")
    for sentence in told(info["forms"]):
        say(sentence)


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
    from tuneloop.releases.cascade_words import told
    from tuneloop.releases.lineage import lineage_of

    found = api.load(name, workspace=workspace_root(workspace))
    if as_json:
        print_json(found.info | {"lineage": lineage_of(found.info), "evaluation": found.evaluation})
        return
    show_forms(found.info)
    _tell_exits(found.info)
    for sentence in told(found.info["cascade"]) if "cascade" in found.info else ():
        say(sentence)
    show_evaluation(found.evaluation)
    print_table(["", t("lineage")], lineage_rows(lineage_of(found.info)))
    say(
        t("Run {run}, data {data}, folder {path}", run=found.info["run"], data=found.info["data_hash"], path=found.path)
    )


def lineage_rows(found: dict[str, Any]) -> Iterator[list[str]]:
    """Data, settings, code and environment that a release comes from, a row each."""
    yield [t("run"), found["run"]]
    if "went_on_from" in found:
        yield [t("goes on from"), found["went_on_from"]["model"]]
    yield [t("data"), found["data"]["hash"]]
    for split, source in found["data"]["sources"].items():
        yield [t("file of {split}", split=split), f"{source['file']} {source.get('sha256', '')}".strip()]
    yield [t("settings"), found.get("config_hash", "")]
    yield [t("seed"), "" if found["seed"] is None else str(found["seed"])]
    for name, moment in (("trained", t("trained with")), ("released", t("released with"))):
        code, around = found[name].get("code", {}), found[name].get("environment", {})
        if code:
            yield [moment, _code(code)]
        if around:
            yield ["", ", ".join(f"{key} {value}" for key, value in around.items())]


def _code(code: dict[str, Any]) -> str:
    commit = [t("commit {commit}", commit=code["commit"])] if "commit" in code else []
    changed = [t("with uncommitted changes")] if code.get("changed") else []
    source = t("source {hash}", hash=code["source_sha256"])
    return ", ".join([f"tuneloop {code['version']}", *commit, *changed, source])


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


@app.command("compare-form", help=t("Does a form made elsewhere (merged, GGUF, vLLM) write what was evaluated?"))
def compare_form(
    name: Name,
    form: Annotated[
        str, typer.Argument(help=t("A model folder, a GGUF file, or a server such as http://127.0.0.1:8000/v1."))
    ],
    model: Annotated[
        str, typer.Option("--model", help=t("How the server calls the model; its first by default."))
    ] = "",
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Prompt tokens and next-token probabilities on conversations of dev; exit code 1 if they differ too much."""
    from tuneloop import api
    from tuneloop.core.paths import Workspace
    from tuneloop.data.snapshot import find_snapshot
    from tuneloop.releases import outside

    root = workspace_root(workspace)
    found = api.load(name, workspace=root)
    dev = find_snapshot(found.info["data_hash"], Workspace(root)).split("dev")
    made = outside.compare_form(found, form, dev, model=model, key=os.environ.get("OPENAI_API_KEY", ""))
    if as_json:
        print_json(made.to_json())
    else:
        for line in _told(made, found.id):
            say(line)
    if not made.accepted:
        raise typer.Exit(1)


def _told(made: Any, name: str) -> Iterator[str]:
    """What a comparison found, line by line."""
    yield t(
        "{form}: {count} conversations, {places} tokens; the likeliest is the same at {same:.1%} of them.",
        form=made.form, count=made.conversations, places=made.places, same=made.same,
    )  # fmt: skip
    yield t("Largest difference of a probability: {value:.4f}", value=made.max_difference)
    if made.loss is not None:
        yield t("Log-likelihood of the right answers: {loss:+.4f} per token", loss=-made.loss)
    if made.first is not None:
        place = t("prompt") if made.first.part == "prompt" else t("answer")
        yield t(
            "First difference: conversation {name}, {part}, token {place}: {expected!r} expected, {found!r} found.",
            name=made.first.conversation, part=place, place=made.first.place + 1,
            expected=made.first.expected, found=made.first.found,
        )  # fmt: skip
    yield (
        t("It may stand for {name}.", name=name)
        if made.accepted
        else t("It does not write what {name} writes: {cause}.", name=name, cause=_causes()[made.cause])
    )


def _causes() -> dict[str, str]:
    return {
        "template": t("it reads other prompts: another chat template"),
        "tokenizer": t("it reads other tokens: another tokenizer"),
        "end tokens": t("it ends answers at other tokens"),
        "missing merge": t("it answers like the model before it was tuned: the adapter was not merged or loaded"),
        "precision": t("it computes too roughly: the precision or quantisation"),
        "weights": t("its weights are others"),
    }


@app.command(help=t("Rebuild the index from the release folders."))
def reindex(workspace: WorkspacePath = None) -> None:
    """For a lost or damaged index.sqlite."""
    from tuneloop import api

    say(t("{count} releases are in the index.", count=len(api.reindex(workspace=workspace_root(workspace)))))


def _short(value: Any) -> str:
    if isinstance(value, dict) and "value" in value:
        return f"{value['value']:.3f}"
    return "" if value is None else str(value)[:60]
