"""`tuneloop effect`, `counterfactual`, `evidence`, `overview`."""

from __future__ import annotations

from typing import Annotated

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

ReleaseName = Annotated[str, typer.Argument(help=t("A release or run; a model's name means its newest."))]
PairText = Annotated[str | None, typer.Option("--pair", help=t("The second text, for models that judge pairs."))]
SHOWN = 100
"""Characters of a training row in a table."""


def effect(
    release: ReleaseName,
    feature: Annotated[str, typer.Argument(help=t("A word or phrase that test rows have."))],
    to: Annotated[str | None, typer.Option("--to", help=t("The phrase that is put in its place."))] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", help=t("One more phrase and its other: --also his=her. Repeatable."))
    ] = None,
    regex: Annotated[bool, typer.Option("--regex", help=t("The feature is a regular expression."))] = False,
    category: Annotated[bool, typer.Option("--category", help=t("The feature is a category of a lexicon."))] = False,
    confounder: Annotated[
        list[str] | None,
        typer.Option("--confounder", help=t("A column, or length, to adjust the observed difference for. Repeatable.")),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=10, help=t("Test rows to look at, at most."))] = 500,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """What a word does to the answers: test rows are asked for with it and without it."""
    from tuneloop import api
    from tuneloop.core.errors import ConfigError
    from tuneloop.explain import causal

    if regex and category:
        raise ConfigError(t("A feature is a regular expression or a category, not both."), t("Leave one option out."))
    found = api.effect(
        release, feature, kind="regex" if regex else "category" if category else "phrase", after=to,
        also={one: other for one, _, other in (pair.partition("=") for pair in also or ())},
        confounders=tuple(confounder or ()), rows=rows, workspace=workspace_root(workspace),
    ).to_json()  # fmt: skip
    if as_json:
        print_json(found)
        return
    print_table(causal.headers(found), causal.table_rows(found), title=found["feature"])
    for sentence in causal.sentences(found):
        say(sentence)


def counterfactual(
    release: ReleaseName,
    text: Annotated[str, typer.Argument(help=t("The text whose answer is explained."))],
    pair: PairText = None,
    target: Annotated[
        str | None, typer.Option("--target", help=t("The class that is wanted; any other one by default."))
    ] = None,
    budget: Annotated[int, typer.Option("--budget", min=10, help=t("Answers of the model at most."))] = 2000,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The fewest words to change for another answer; none found is an answer too."""
    from tuneloop.api import effects
    from tuneloop.data.examples import as_input
    from tuneloop.explain.counterfactual import sentences

    item = as_input(text, pair)
    found = effects.counterfactual(release, item, target=target, budget=budget, workspace=workspace_root(workspace))
    if as_json:
        print_json(found.to_json())
        return
    first, *changes, last = sentences(found)
    say(first)
    for sentence in changes:
        print(sentence)
    say(last)


def evidence(
    release: ReleaseName,
    text: Annotated[str, typer.Argument(help=t("The text whose answer is explained."))],
    pair: PairText = None,
    label: Annotated[
        str | None, typer.Option("--label", help=t("The right class; the model's answer by default."))
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=10, help=t("Training rows to look at, at most."))] = 5000,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """The training rows nearest to a text, and those that speak for and against its label."""
    from tuneloop.api import effects
    from tuneloop.data.examples import as_input
    from tuneloop.explain import nearest

    item = as_input(text, pair)
    near, influences = effects.evidence(
        release, item, label=label, rows=rows, workspace=workspace_root(workspace), quiet=quiet
    )
    if as_json:
        print_json({"nearest": near.to_json(), "influence": influences.to_json() if influences else None})
        return
    columns = [t("row"), t("class"), t("text")]
    shown = [[each.id, str(each.label), each.text[:SHOWN], f"{each.similarity:.3f}"] for each in near.rows]
    print_table([*columns, t("similarity")], shown, title=t("Nearest training rows"))
    say(nearest.sentence(near))
    if influences is None:
        say(t("The influence of rows is known only of a torch model with one class for a text."))
        return
    both = {
        t("Rows that speak for {label}", label=influences.label): influences.helpful,
        t("Rows that speak against {label}", label=influences.label): influences.harmful,
    }
    for title, some in both.items():
        shown = [[each.id, each.label, each.text[:SHOWN], f"{each.value:+.4f}"] for each in some]
        print_table([*columns, t("influence")], shown, title=title)


def overview(
    release: ReleaseName,
    rows: Annotated[int, typer.Option("--rows", min=10, help=t("Test rows to look at, at most."))] = 300,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What a model goes by as a whole: words, concepts of its lexicons, and a few rules that answer like it."""
    from tuneloop.api import effects
    from tuneloop.explain import global_words
    from tuneloop.explain.rules import sentences

    found = effects.overview(release, rows=rows, workspace=workspace_root(workspace), quiet=quiet).to_json()
    if as_json:
        print_json(found)
        return
    for key, title in (("words", t("Words")), ("concepts", t("Concepts"))):
        print_table(global_words.effect_headers(), global_words.effect_rows(found[key]), title=title)
    for sentence in sentences(found["rules"]) if found["rules"] else ():
        print(sentence)
    say(
        t("{looked_at} words were looked at, {left_out} more were left out; {asked} answers of the model were needed.",
          looked_at=found["looked_at"], left_out=found["left_out"], asked=found["asked"])
    )  # fmt: skip
