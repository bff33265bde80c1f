"""`tuneloop deploy`, `tuneloop rollback` and `tuneloop deployments`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

Why = Annotated[str, typer.Option("--why", help=t("The reason, for the record."))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=t("Only check, and tell what would be changed."))]


def deploy(
    release: Annotated[str, typer.Argument(help=t("A release; a model's name means its newest."))],
    shadow: Annotated[
        bool, typer.Option("--shadow", help=t("Only let it answer unseen, beside the current release."))
    ] = False,
    canary: Annotated[
        float | None,
        typer.Option(
            "--canary", metavar="SHARE", help=t("Only let it answer this share of the requests, such as 0.1.")
        ),
    ] = None,
    why: Why = "",
    dry_run: DryRun = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Servers that were started with the model's name follow within a second, and fail no request."""
    from tuneloop import api

    root = workspace_root(workspace)
    made = api.deploy(release, shadow=shadow, canary=canary, why=why, workspace=root, dry_run=dry_run)
    _show(made, as_json=as_json, dry_run=dry_run)


def rollback(
    name: Annotated[str, typer.Argument(help=t("The name of a model."))],
    why: Why = "",
    dry_run: DryRun = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Takes out what is being tried; where nothing is, goes back to the release before."""
    from tuneloop import api

    made = api.rollback(name, why=why, workspace=workspace_root(workspace), dry_run=dry_run)
    _show(made, as_json=as_json, dry_run=dry_run)


def deployments(
    name: Annotated[str | None, typer.Argument(help=t("The name of a model; all by default."))] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Of one model also its history, and the figures of what is being tried."""
    from tuneloop import api

    found = api.deployments(name, workspace=workspace_root(workspace))
    if as_json:
        print_json(found)
        return
    if not found:
        say(t("Nothing was deployed yet; servers answer with the newest release."))
        return
    headers = [t("model"), t("current"), t("one before"), t("being tried"), t("stage"), t("share"), t("tried since")]
    print_table(headers, [_row(each) for each in found])
    for each in found:
        _show_figures(each)
    if name is not None:
        headers = ["", t("when"), t("who"), t("what"), t("release"), t("why")]
        rows = [
            [
                str(each["number"]),
                _moment(each["at"]),
                each["who"],
                _kinds()[each["kind"]],
                each["release"],
                each["why"],
            ]
            for each in found[0]["history"]
        ]
        print_table(headers, rows)


def _show(made: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(made)
        return
    if dry_run:
        say(t("Nothing was changed. What would be:"))
    for line in told_sentences(made):
        say(line)


def told_sentences(made: dict[str, Any]) -> Iterator[str]:
    """What a change means, and what to type next."""
    release, current, name = made["release"], made["current"], made["name"]
    if made["kind"] == "shadow":
        yield t("{release} answers unseen beside {current}.", release=release, current=current)
        yield t("See how far they agree with: tuneloop deployments {name}", name=name)
        yield t("Then: tuneloop deploy {release} --canary 0.1", release=release)
    elif made["kind"] == "canary":
        share = made["candidate"]["share"]
        yield t("{release} answers {share:.0%} of the requests, {current} the others.",
                release=release, share=share, current=current)  # fmt: skip
        yield t("Servers take it out if it is worse. See the figures with: tuneloop deployments {name}", name=name)
        yield t("Then: tuneloop deploy {release}", release=release)
    elif made["kind"] == "abort":
        yield t("{release} was taken out; {current} answers, as before.", release=release, current=current)
        if made["before"]:
            yield t("To go back to {before} too, give the same command again.", before=made["before"])
    else:
        if made["kind"] == "rollback":
            for passed in made["details"]["passed_over"]:
                if passed != made["details"]["before"]:
                    yield t("{release} is gone or damaged and was passed over.", release=passed)
        yield t("{release} is the current release.", release=current)
        if made["before"]:
            yield t("To go back to {before}: tuneloop rollback {name}", before=made["before"], name=name)


def _row(found: dict[str, Any]) -> list[str]:
    tried = found["candidate"]
    last = [_stages()[tried["stage"]], f"{tried['share']:.0%}", _moment(tried["at"])] if tried else ["", "", ""]
    return [found["name"], found["current"], found["before"] or "", tried["release"] if tried else "", *last]


def _show_figures(found: dict[str, Any]) -> None:
    """Both sides of what is being tried, as each server has counted them."""
    tried = found["candidate"]
    if tried is None:
        return
    if not found["figures"]:
        say(t("No server has counted anything of {release} yet.", release=tried["release"]))
    for server, figures in found["figures"].items():
        title = t("{release} on {server}", release=tried["release"], server=server)
        headers = [t("share of"), found["current"], t("of"), tried["release"], t("of"), t("what can be said")]
        print_table(headers, list(_figure_rows(figures)), title=title)
        for line in _shadow_lines(figures["shadow"]):
            say(line)


def _figure_rows(figures: dict[str, Any]) -> Iterator[list[Any]]:
    words = {
        "failed": t("failed requests"), "slow": t("slow requests"), "abstained": t("abstained requests"),
        "wrong": t("feedback: wrong"),
    }  # fmt: skip
    said = {
        "worse": t("worse for certain"), "not_worse": t("not worse by more than the margin"),
        "unclear": t("cannot be told"),
    }  # fmt: skip
    criteria = {} if figures["shadow"] else figures["criteria"]
    for name, each in criteria.items():
        sides = [each["current"], each["candidate"]]
        cells = [cell for side in sides for cell in (_share(side["share"]), str(side["asked"]))]
        yield [words[name], *cells, said[each["verdict"]] if all(side["asked"] for side in sides) else t("no data")]
    times = figures["median_ms"]
    yield [t("median in ms"), *(cell for side in ("current", "candidate") for cell in (_number(times[side]), "")), ""]


def _shadow_lines(shadow: dict[str, Any] | None) -> Iterator[str]:
    if not shadow or not shadow["texts"]:
        return
    same = shadow["same"] / shadow["texts"]
    yield t(
        "{texts} texts were answered by both; {same:.1%} of the answers are the same.", texts=shadow["texts"], same=same
    )
    for pair, count in list(shadow["different"].items())[:5]:
        yield f"  {pair}: {count}"
    if shadow["dropped"]:
        yield t("{count} requests were not given to both, as the server was busy.", count=shadow["dropped"])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _stages() -> dict[str, str]:
    return {"shadow": t("shadow"), "canary": t("canary")}


def _kinds() -> dict[str, str]:
    return _stages() | {
        "promote": t("made current"), "abort": t("taken out"), "rollback": t("gone back to"),
        "failed": t("could not be opened"),
    }  # fmt: skip
