"""`tuneloop trail ...` and `tuneloop why`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

SHOWN_CHARS = 60


@app.command(help=t("Read every line and say which was changed or is missing."))
def verify(
    head: Annotated[
        str, typer.Option("--head", help=t("A head that was noted elsewhere; it must still be in the chain."))
    ] = "",
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """Exit code 1 if anything is wrong."""
    from tuneloop.api.trail import verify_trail

    found = verify_trail(head=head, workspace=workspace_root(workspace))
    if as_json:
        print_json(found.to_json())
    else:
        for flaw in found.flaws:
            say(flaw.sentence())
        say(t("{lines} lines in {files} files, {signed} signed.", lines=found.lines, files=found.files,
              signed=found.signed))  # fmt: skip
        say(
            t("The trail is whole. Head: {hash}", hash=found.head.hash)
            if found.whole
            else t("The trail is not whole: {count} flaws.", count=len(found.flaws))
        )
    if not found.whole:
        raise typer.Exit(1)


@app.command(help=t("Print the hash of the last line, to note it where nobody who can write the trail can change it."))
def head(workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """The number of lines stands on standard error."""
    from tuneloop.api.trail import verify_trail

    found = verify_trail(workspace=workspace_root(workspace))
    if not found.whole:
        say(t("The trail is not whole: {count} flaws.", count=len(found.flaws)))
        raise typer.Exit(1)
    if as_json:
        print_json({"count": found.head.count, "head": found.head.hash})
        return
    print(found.head.hash)
    say(t("The hash of line {count}. Check it later with: tuneloop trail verify --head HASH", count=found.head.count))


@app.command(help=t("The newest records."))
def show(
    last: Annotated[int, typer.Option("--last", "-n", min=1, help=t("How many."))] = 20,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The oldest of them first."""
    from tuneloop.api.trail import trail_records

    found = list(trail_records(last=last, workspace=workspace_root(workspace)))[::-1]
    if as_json:
        print_json(found)
        return
    headers = [t("number"), t("time"), t("kind"), t("request"), t("release"), t("answer")]
    print_table(headers, [_row(each) for each in found])


def why(
    request_id: Annotated[str, typer.Argument(help=t("The X-Request-Id of an answer."))],
    text: Annotated[
        str | None, typer.Option("--text", help=t("The text that was sent, or a file that holds it and nothing else."))
    ] = None,
    request: Annotated[
        Path | None, typer.Option("--request", help=t("A file with the whole body that was sent, JSON."))
    ] = None,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
) -> None:
    """The answer, its rules and passages, where the release comes from; exit code 1 if it answers otherwise today."""
    from tuneloop.api.trail import DIFFERENT
    from tuneloop.api.trail import why as ask_why

    body = None if request is None else _json(request)
    found = ask_why(request_id, text=_text(text), request=body, workspace=workspace_root(workspace))
    print_json(found) if as_json else _tell(found)
    if found["replay"] is not None and found["replay"]["verdict"] == DIFFERENT:
        raise typer.Exit(1)


def _tell(found: dict[str, Any]) -> None:
    from tuneloop.cli.releases import lineage_rows

    record = found["record"]
    rows = [
        [t("time"), record["time"]],
        [t("route"), record["route"]],
        [t("release"), f"{record['release']} ({record['engine']}, {record['task']})"],
        [t("asked"), _plain(record["asked"])],
        *([t("answer"), line] for line in _answers(record)),
        *([t("rule"), line] for line in _reasons(record)),
        *([t("passage"), line] for line in _passages(record)),
    ]
    print_table(["", record["request"]], rows)
    print_table(["", t("lineage")], lineage_rows(found["lineage"]))
    say(found["reason"] if found["replay"] is None else _verdict(found["replay"]))
    for changes in (found["replay"] or {}).get("environment", {}), (found["replay"] or {}).get("code", {}):
        for key, (then, now) in changes.items():
            say(t("{what} was {then}, and is {now}.", what=key, then=then, now=now))


def _verdict(replay: dict[str, Any]) -> str:
    from tuneloop.api.trail import CLOSE, EXACT

    if replay["verdict"] == EXACT:
        return t("The release answers exactly so again.")
    if replay["verdict"] == CLOSE:
        return t(
            "The release answers so again; numbers differ by at most {gap:.2g}, where {most:.2g} is tolerated.",
            gap=replay["difference"], most=replay["tolerance"],
        )  # fmt: skip
    if replay["difference"] is not None:
        return t(
            "The release answers otherwise: numbers differ by up to {gap:.2g}, where {most:.2g} is tolerated.",
            gap=replay["difference"], most=replay["tolerance"],
        )  # fmt: skip
    return t("The release answers otherwise: {told}", told=_short(replay["told"]))


def _told(record: dict[str, Any]) -> Any:
    sealed = record.get("told", {})
    return sealed.get("exact", sealed.get("veiled"))


def _answers(record: dict[str, Any]) -> Iterator[str]:
    told = _told(record)
    for each in told if isinstance(told, list) else [told] if told else []:
        label = each.get("label", each.get("text", ""))
        shares = each.get("probabilities")
        sure = f" ({shares[label]:.4f})" if isinstance(shares, dict) and label in shares else ""
        yield f"{_short(label)}{sure}"


def _reasons(record: dict[str, Any]) -> Iterator[str]:
    told = _told(record)
    for each in told if isinstance(told, list) else []:
        for reason in each.get("because", ()):
            change = f"{_short(reason['before'])} -> {_short(reason['after'])}"
            yield ", ".join(filter(None, [reason["rule"], change, reason.get("matched"), reason["because"]]))


def _passages(record: dict[str, Any]) -> Iterator[str]:
    told = _told(record)
    for each in told.get("citations", ()) if isinstance(told, dict) else ():
        yield f"[{each['number']}] {each['document']} {each['section']} {each['start']}-{each['end']}"


def _plain(sealed: dict[str, Any]) -> str:
    return _short(sealed.get("exact", sealed.get("veiled")))


def _row(record: dict[str, Any]) -> list[Any]:
    answers = "; ".join(_answers(record))[:SHOWN_CHARS]
    names = [record.get("request", ""), record.get("release", record.get("file", ""))]
    return [record["n"], record["time"][:19], record["kind"], *names, answers]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 4 * SHOWN_CHARS else text[: 4 * SHOWN_CHARS] + " ..."


def _text(given: str | None) -> str | None:
    """The text, or that of the file with this name."""
    try:
        if given is None or len(given) > 1000 or not Path(given).is_file():
            return given
    except OSError:  # a text that is too long for the name of a file
        return given
    try:
        return Path(given).read_bytes().decode("utf-8")  # as it is: no line break is made another
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=given, error=error), t("Save it as UTF-8 text.")
        ) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Give the body as it was sent, JSON.")
        ) from None
