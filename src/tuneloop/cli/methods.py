"""`tuneloop methods`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tuneloop.cli.show import AsJson, print_json, print_table, say
from tuneloop.core.i18n import t


def methods(
    name: Annotated[str, typer.Argument(help=t("One method, with its options and the tasks it goes with."))] = "",
    task: Annotated[str, typer.Option("--task", help=t("Only methods that go with this task."))] = "",
    as_json: AsJson = False,
) -> None:
    """What each of them does; a name adds its options."""
    from tuneloop import api
    from tuneloop.methods.catalogue import describe

    found = [describe(name)] if name else api.list_methods(task=task)
    if as_json:
        print_json(found[0] if name else found)
    elif name:
        show(found[0])
    else:
        rows = [(each["name"], tasks_of(each), each["summary"]) for each in found]
        print_table([t("method"), t("tasks"), t("what it does")], rows)
        say(t("The options of one: {command}", command="tuneloop methods NAME"))


def show(method: dict[str, Any]) -> None:
    """The options, and why it makes no sense for some tasks."""
    print(f"{method['name']}: {method['summary']}\n")
    rows = [(each["name"], default_of(each), each["description"]) for each in method["options"]]
    if rows:
        print_table([t("option"), t("default"), t("what it says")], rows)
    print(t("Tasks: {tasks}", tasks=", ".join(task for task, why in method["tasks"].items() if not why)))
    for task, why in method["tasks"].items():
        if why:
            print(f"- {task}: {why}")


def tasks_of(method: dict[str, Any]) -> str:
    """The tasks that it goes with, in words."""
    kept = [task for task, why in method["tasks"].items() if not why]
    left_out = [task for task, why in method["tasks"].items() if why]
    if not left_out:
        return t("all")
    return t("all but {tasks}", tasks=", ".join(left_out)) if len(left_out) < len(kept) else ", ".join(kept)


def default_of(option: dict[str, Any]) -> str:
    """What holds where nothing is said, as YAML has it."""
    return t("needed") if option["needed"] else json.dumps(option["default"], ensure_ascii=False)
