"""`tuneloop label ...`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli import label_forecast
from tuneloop.cli.show import AsJson, print_json, print_table, say
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

ConfigFile = Annotated[Path | None, typer.Option("--config", help=t("The configuration; ./tuneloop.yaml by default."))]
Annotator = Annotated[
    str, typer.Option("--annotator", help=t("Who labels; TUNELOOP_ANNOTATOR or your user name by default."))
]
Format = Annotated[
    str, typer.Option("--format", help=t("jsonl, csv, label-studio, doccano or argilla; the name tells it by default."))
]
Task = Annotated[str, typer.Option("--task", help=t("What is labelled, where there is no configuration."))]
LabelNames = Annotated[
    str,
    typer.Option("--labels", help=t("Classes that may be given, with commas between; those of the data by default.")),
]
ProjectName = Annotated[
    str, typer.Option("--project", help=t("The name that labels are kept under; the configuration's by default."))
]
Force = Annotated[bool, typer.Option("--force", help=t("Replace a file that is there."))]
Workspace = Annotated[
    Path | None, typer.Option("--workspace", "-w", help=t("The workspace; that of the configuration by default."))
]

app.command("forecast", help=t("What more labels would bring, what they would cost, and whether to go on."))(
    label_forecast.forecast
)


@app.command(help=t("Texts that are worth labelling: asked in the terminal, or written to a file."))
def next(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help=t("How many."))] = 20,
    pool: Annotated[
        str | None, typer.Option("--pool", help=t("A file of texts; rows of the data without a label by default."))
    ] = None,
    strategy: Annotated[str, typer.Option("--strategy", help=t("How texts are chosen."))] = "auto",
    to: Annotated[
        Path | None, typer.Option("--to", help=t("Write them to this file, to be labelled elsewhere."))
    ] = None,
    format: Format = "",
    annotator: Annotator = "",
    per_item: Annotated[int, typer.Option("--per-item", min=1, help=t("How many people are to answer each text."))] = 1,
    disagreed: Annotated[
        bool, typer.Option("--disagreed", help=t("Texts of which others say different things, to settle them."))
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help=t("A run or release to choose by; the newest release by default."))
    ] = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help=t("A model source whose vectors are compared where there is no model."))
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help=t("Seed of random choices."))] = 0,
    labels: LabelNames = "",
    task: Task = "",
    config: ConfigFile = None,
    project: ProjectName = "",
    force: Force = False,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """With --json the texts are printed for a program that asks in its own way."""
    from tuneloop.api import labelling as api

    asks = to is None and not as_json
    if asks and not sys.stdin.isatty():
        raise ConfigError(
            t("There is no terminal to ask in."),
            t("Write the texts to a file with --to FILE and bring it back with: tuneloop label import FILE"),
        )
    who = annotator or api.default_annotator()
    items = api.label_next(
        config, count=count, pool=pool, annotator=who, strategy=strategy, per_item=per_item, disagreed=disagreed,
        model=model, encoder=encoder, seed=seed, to=to, format=format, force=force, labels=_split(labels), task=task,
        project=project, workspace=workspace,
    )  # fmt: skip
    if as_json:
        print_json([item._asdict() for item in items])
    elif to is not None:
        say(t("{count} texts for {who} are in {path}.", count=len(items), who=who, path=to))
        more = (f" --format {format}" if format else "") + (f" --annotator {annotator}" if annotator else "")
        say(t("When they are labelled: tuneloop label import {path}", path=f"{to}{more}"))
    else:
        with api.open_labels(config, task=task, project=project, workspace=workspace) as store:
            _ask(store, items, who)


def _ask(store: Any, items: Any, who: str) -> None:
    from tuneloop.cli.asking import ask, single_keys
    from tuneloop.labelling.kinds import KEYS, kind_of

    kind, names = kind_of(store.task), store.names
    if kind != "number" and not 0 < len(names) <= len(KEYS):
        raise ConfigError(
            t("{count} classes are known; {most} at most can be asked for in the terminal.", count=len(names),
              most=len(KEYS)),
            t("Name them with --labels first,second, or label in another tool: --to FILE"),
        )  # fmt: skip
    with single_keys() if kind == "class" else nullcontext(_line) as read:
        given = ask(store, items, who, kind, read=read, show=say)
    say(t("{count} answers are kept. See: tuneloop label status", count=given))


def _line() -> str:
    try:
        return input("> ")
    except EOFError:
        return "q"


@app.command("import", help=t("Take labels from a file; all of them, or none and one error."))
def import_(
    file: Annotated[Path, typer.Argument(help=t("What people have labelled."))],
    format: Format = "",
    annotator: Annotator = "",
    labels: LabelNames = "",
    task: Task = "",
    config: ConfigFile = None,
    project: ProjectName = "",
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Importing a file twice changes nothing the second time."""
    from tuneloop.api import labelling as api

    found = api.label_import(
        file, config, format=format, annotator=annotator, labels=_split(labels), task=task, project=project,
        workspace=workspace,
    )  # fmt: skip
    if as_json:
        print_json(asdict(found))
        return
    say(
        t("New answers: {added}. There already: {unchanged}. Skipped: {skipped}. Rows without an answer: {empty}.",
          added=found.added, unchanged=found.unchanged, skipped=found.skipped, empty=found.empty)
    )  # fmt: skip
    if found.names:
        say(t("New classes: {names}", names=", ".join(found.names)))


@app.command(help=t("Write labels to a file, for tuning or for another tool."))
def export(
    to: Annotated[Path | None, typer.Option("--to", "-o", help=t("The file; labels.jsonl by default."))] = None,
    format: Format = "",
    adjudicated: Annotated[
        str, typer.Option("--adjudicated", help=t("One label for each text: majority or dawid-skene."))
    ] = "",
    add_to: Annotated[
        str | None,
        typer.Option(
            "--add-to", help=t("A data file: write a new one with its rows and the labels; it is not changed.")
        ),
    ] = None,
    skipped: Annotated[bool, typer.Option("--skipped", help=t("Also write what was skipped."))] = False,
    task: Task = "",
    config: ConfigFile = None,
    project: ProjectName = "",
    force: Force = False,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """JSON lines go straight into data.source."""
    from tuneloop.api import labelling as api

    if adjudicated not in ("", "majority", "dawid-skene"):
        raise ConfigError(t("--adjudicated {given} is unknown.", given=adjudicated), t("Take majority or dawid-skene."))
    if add_to is not None:
        path = to or Path(Path(add_to.rpartition(":")[2]).stem + "-labelled.jsonl")
    else:
        path = to or Path("labels.jsonl")
    found = api.label_export(
        path, config, format=format, adjudicated=adjudicated, add_to=add_to, skipped=skipped, force=force, task=task,
        project=project, workspace=workspace,
    )  # fmt: skip
    if as_json:
        print_json(asdict(found) | {"path": str(found.path)})
        return
    say(t("{rows} labels are in {path}.", rows=found.rows, path=found.path))
    if add_to is not None:
        say(t("{filled} rows of {data} without a label have one now.", filled=found.filled, data=add_to))
    if found.kept:
        say(t("{count} rows have another label than people give now; they keep theirs.", count=found.kept))
    if found.undecided:
        say(
            t(
                "{count} texts are left out, because people are tied: tuneloop label next --disagreed",
                count=found.undecided,
            )
        )
    if found.several and not adjudicated:
        say(t("Some texts have several answers; one for each is taken with: --adjudicated majority"))


@app.command(help=t("How much is labelled by whom, and how far people agree."))
def status(
    task: Task = "",
    config: ConfigFile = None,
    project: ProjectName = "",
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Krippendorff's alpha with an interval, agreement of each two people, and who errs how."""
    from tuneloop.api import labelling as api

    found = api.label_status(config, task=task, project=project, workspace=workspace)
    if as_json:
        print_json(found)
        return
    counts = [
        [t("texts"), found["items"]],
        [t("labelled"), found["labelled"]],
        [t("without an answer"), found["waiting"]],
        [t("people disagree"), found["disagreed"]],
        [t("tied"), found["tied"]],
    ]
    print_table([t("task: {task}", task=found["task"]), ""], counts)
    people = [[each["annotator"], each["answers"], each["skipped"], each["seconds"] or "-"] for each in
              found["annotators"]]  # fmt: skip
    print_table([t("annotator"), t("answers"), t("skipped"), t("seconds each")], people)
    if found["labels"]:
        print_table([t("label"), t("texts")], [[name, count] for name, count in found["labels"].items()])
    _tell_agreement(found["agreement"])


def _tell_agreement(found: dict[str, Any] | None) -> None:
    if found is None:
        return
    if found["alpha"] is None:
        say(t("Agreement cannot be told: all answers are the same."))
    else:
        say(
            t("Krippendorff's alpha ({level}) on {items} texts: {alpha:.3f} (95 %: {low:.3f} to {high:.3f})", **{
                key: found[key] for key in ("level", "items", "alpha", "low", "high")})
        )  # fmt: skip
    pairs = [[" / ".join(each["annotators"]), each["items"], f"{each['same']:.3f}", f"{each['low']:.3f}",
              f"{each['high']:.3f}"] for each in found["pairs"]]  # fmt: skip
    print_table([t("two people"), t("texts"), t("the same"), t("from"), t("to")], pairs)
    wrong = [
        [each["annotator"], str(cell["others"]), str(cell["said"]), cell["count"]]
        for each in found["annotators"]
        for cell in each.get("confusion", ())
        if cell["others"] != cell["said"]
    ]
    if wrong:
        print_table([t("annotator"), t("most others say"), t("says"), t("times")], wrong)
    gaps = [[each["annotator"], each["judged"], f"{each['above']:+.3f}", f"{each['distance']:.3f}"]
            for each in found["annotators"] if "distance" in each]  # fmt: skip
    if gaps:
        print_table([t("annotator"), t("texts"), t("above the others"), t("distance")], gaps)


@app.command(help=t("Take back somebody's last answer; what they had said before counts again."))
def undo(
    annotator: Annotator = "",
    task: Task = "",
    config: ConfigFile = None,
    project: ProjectName = "",
    workspace: Workspace = None,
) -> None:
    """The line stays in the file; a new one takes it back."""
    from tuneloop.api import labelling as api
    from tuneloop.cli.asking import plain, shown

    found = api.label_undo(config, annotator=annotator, task=task, project=project, workspace=workspace)
    if found is None:
        say(t("There is nothing to undo."))
        return
    item, answer = found
    say(t("Undone: {label}", label=f"{shown(answer.label)} ({plain(item.text[:60])})"))


def _split(labels: str) -> list[str]:
    return [name for name in labels.split(",") if name.strip()]
