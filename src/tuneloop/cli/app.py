"""The commands, and what becomes of their errors."""

from __future__ import annotations

import sys
import traceback
from itertools import islice
from typing import Annotated

import typer

from tuneloop.cli import (
    audits,
    bench,
    cascading,
    correcting,
    data,
    demo,
    deploying,
    doctor,
    effects,
    evaluation,
    events,
    experiments,
    explain,
    knowledge,
    labelling,
    methods,
    new,
    prediction,
    preferences,
    releases,
    remote,
    runs,
    serving,
    studio,
    trail,
    training,
    update,
    watch,
    weak,
)
from tuneloop.core.errors import TuneloopError
from tuneloop.core.i18n import t

app = typer.Typer(
    name="tuneloop",
    help=t("The whole life of a fine-tuned model: data, tuning, honest evaluation, release, serving."),
    epilog=t("Start with: tuneloop init YOUR_DATA.csv   or see it work: tuneloop demo"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich help costs 0.1 s of every start
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init", help=t("Write a commented tuneloop.yaml for a data file."))(data.init)
app.command("new", help=t("Begin with an application that runs: customer service, monitoring, and others."))(new.new)
app.command("check", help=t("Read, clean and split the data; say what is suspicious about it."))(data.check)
app.command("pretrain", help=t("Let an encoder read your texts, or make a new one of them."))(training.pretrain)
app.command("tune", help=t("Train the model; --dry-run tells what it would cost."))(training.tune)
app.command("compare", help=t("Try methods, seeds and numbers of labels; say which to take."))(experiments.compare)
app.command("search", help=t("Search for good settings on dev; the best run is kept."))(experiments.search)
app.command("bench", help=t("Train, measure and answer the tasks of GLUE or CLUE."))(bench.bench)
app.command("evaluate", help=t("Measure a run or release on rows it has never seen."))(evaluation.evaluate)
app.command("audit", help=t("Ask what may be wrong with a run or release beyond its figures."))(audits.audit)
app.command("explain", help=t("Tell what each word of a text adds to the answer."))(explain.explain)
app.command("effect", help=t("Tell what a word does to the answers, by changing test rows."))(effects.effect)
app.command("counterfactual", help=t("Find the fewest words to change for another answer."))(effects.counterfactual)
app.command("evidence", help=t("Show the training rows that an answer leans on."))(effects.evidence)
app.command("overview", help=t("Tell what a model goes by as a whole."))(effects.overview)
app.command("prefer", help=t("Judge two models' answers blindly on a page; say which one is preferred."))(
    preferences.prefer
)
app.command("release", help=t("Make a release of a run: evaluated, exported, every form proven."))(releases.release)
app.command("cascade", help=t("Let a cheap release answer what it is sure of, and a strong one the rest."))(
    cascading.cascade
)
app.command("update", help=t("Make a release better with new rows; exit code 0 released, 1 held, 3 ask a person."))(
    update.update
)
app.command("predict", help=t("Answer the texts of a file or of standard input."))(prediction.predict)
app.command("serve", help=t("Answer over HTTP."))(serving.serve)
app.command("studio", help=t("See and do all of it in the browser."))(studio.studio)
app.command("deploy", help=t("Let a release answer on running servers, or try it there: --shadow, --canary 0.1."))(
    deploying.deploy
)
app.command("rollback", help=t("Go back to the release before, at once."))(deploying.rollback)
app.command("deployments", help=t("Tell which release answers, what is being tried, and what was before."))(
    deploying.deployments
)
app.command("push", help=t("Copy finished releases, runs and snapshots to an object store."))(remote.push)
app.command("pull", help=t("Fetch releases, runs and snapshots from an object store, every file checked."))(remote.pull)
app.command("watch", help=t("Tell whether what is served is still like what the release was measured on."))(watch.watch)
app.command("why", help=t("Tell what was answered to a request and why, and answer it again."))(trail.why)
app.add_typer(labelling.app, name="label", help=t("Texts for people to label, and what they say."))
app.add_typer(
    correcting.app, name="correct", help=t("Correct labels and leave rows out; the data file stays as it is.")
)
app.add_typer(trail.app, name="trail", help=t("The audit trail of served answers: is it whole, what does it say?"))
app.add_typer(events.app, name="events", help=t("What was kept of served answers, and what people said of them."))
app.add_typer(runs.app, name="runs", help=t("List runs, stop one, compare several."))
app.add_typer(releases.app, name="releases", help=t("List, show, compare, export releases."))
app.add_typer(knowledge.app, name="knowledge", help=t("Documents, graphs, lexicons and rules that answers rest on."))
app.add_typer(weak.app, name="weak", help=t("Label texts by functions instead of people, and see what that is worth."))
app.command("methods", help=t("List the methods, their options and the tasks they go with."))(methods.methods)
app.command("doctor", help=t("Tell what this machine can do and what is missing."))(doctor.doctor)
app.command("demo", help=t("See the whole way once, on packaged data and a packaged model."))(demo.demo)


def _print_version(asked: bool) -> None:
    """Before a command is looked for, as there is none."""
    if asked:
        from importlib.metadata import version as installed

        print(installed("tuneloop"))
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help=t("Show the traceback of an error."))] = False,
    lang: Annotated[str, typer.Option("--lang", help=t("en or zh; the environment decides by default."))] = "",
    version: Annotated[
        bool, typer.Option("--version", help=t("Print the version."), is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What every command takes; --debug and --lang are read by `run` and `main`."""


def run(arguments: list[str]) -> int:
    """Run a command; its exit code."""
    try:
        app(_common_first(arguments), standalone_mode=True)
    except SystemExit as finished:
        return finished.code if isinstance(finished.code, int) else 1
    except TuneloopError as error:
        return _complain(error.problem, error.hint, code=error.exit_code, debug="--debug" in arguments)
    except KeyboardInterrupt:
        return _complain(t("Interrupted."), "", code=130, debug=False)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # the last place where ours is told apart from the user's
        problem = t("Something went wrong in tuneloop: {kind}: {error}", kind=type(error).__name__, error=error)
        hint = t("Run it again with --debug before the command to see where; this is a bug worth reporting.")
        return _complain(problem, hint, code=1, debug="--debug" in arguments)
    return 0


def _common_first(arguments: list[str]) -> list[str]:
    """--debug and --lang may stand behind the command too."""
    first, rest, given = [], [], iter(arguments)
    for argument in given:
        if argument == "--":
            return [*first, *rest, argument, *given]
        common = argument == "--debug" or argument.partition("=")[0] == "--lang"
        (first if common else rest).append(argument)
        if argument == "--lang":
            first.extend(islice(given, 1))
    return [*first, *rest]


def _complain(problem: str, hint: str, *, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(t("Error: {problem}", problem=problem), file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    return code
