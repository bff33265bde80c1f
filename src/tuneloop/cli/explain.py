"""`tuneloop explain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, overrides, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.explain.base import Explanation


def explain(
    release: Annotated[str, typer.Argument(help=t("A release or run; a model's name means its newest."))],
    text: Annotated[str, typer.Argument(help=t("The text whose answer is explained."))],
    pair: Annotated[str | None, typer.Option("--pair", help=t("The second text, for models that judge pairs."))] = None,
    image: Annotated[Path | None, typer.Option("--image", help=t("An image beside the text."))] = None,
    audio: Annotated[Path | None, typer.Option("--audio", help=t("A sound beside the text."))] = None,
    values: Annotated[
        list[str] | None, typer.Option("--value", help=t("A value beside the text: --value price=3.5. Repeatable."))
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help=t("shapley, occlusion, integrated_gradients or another explainer."))
    ] = "shapley",
    target: Annotated[
        str | None, typer.Option("--target", help=t("The class to explain; the most probable one by default."))
    ] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", help=t("An option of the method: --set unit=phrase. Repeatable."))
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help=t("Write a page with the heat-map."))] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """What each word adds to the answer, with the error that the method states."""
    from tuneloop import api
    from tuneloop.core.fsio import write_text
    from tuneloop.explain.show import explanation_html

    given = _item(text, pair, image, audio, values or [])
    found = api.explain(
        release, given, method=method, target=target, options=overrides(options),
        workspace=workspace_root(workspace),
    )  # fmt: skip
    if html is not None:
        write_text(html, explanation_html(found, name=release))
        say(t("The page: {path}", path=html))
    print_json(found.to_json()) if as_json else _show(found)


def _item(
    text: str, pair: str | None, image: Path | None, audio: Path | None, values: list[str]
) -> Input | dict[str, Any]:
    from tuneloop.data.examples import as_input

    if image is None and audio is None and not values:
        return as_input(text, pair)
    tabular = {name: value for name, _, value in (each.partition("=") for each in values)}
    return {"text": text, "image": image, "audio": audio, "tabular": tabular}


def _show(found: Explanation) -> None:
    from rich.console import Console

    from tuneloop.explain import show

    first, *others = show.sentences(found)
    print(first)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(show.heat_text(found))
    rows = [[*row, bar] for row, bar in zip(show.rows(found), show.bars(found), strict=True)]
    print_table([*show.headers(found), ""], rows[: show.SHOWN])
    together = show.interaction_rows(found)
    if together:
        print_table(show.interaction_headers(), together[: show.SHOWN], title=t("Parts that act together"))
    for sentence in others:
        say(sentence)
