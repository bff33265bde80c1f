"""`tuneloop doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneloop.cli.show import AsJson, Quiet, WorkspacePath, print_json, print_table, say, workspace_root
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.models.roofline import Roofline


def doctor(
    roofline: Annotated[
        bool,
        typer.Option(
            "--roofline", help=t("Measure matrix products and memory, and keep the figures to compare later work with.")
        ),
    ] = False,
    workspace: WorkspacePath = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What this machine can do, and the command that brings what is missing."""
    from tuneloop.core.machine import GIB, look

    if roofline:
        _roofline(workspace_root(workspace), as_json=as_json, quiet=quiet)
        return

    found = look(workspace_root(workspace))
    if as_json:
        print_json(asdict(found))
        return
    yes, no = t("yes"), t("no")
    rows = [
        (t("processor"), t("{name}, {cores} cores", name=found.processor, cores=found.cores)),
        (t("bf16 arithmetic"), yes if found.bf16 else t("no: training and inference stay in fp32")),
        (t("int8 arithmetic (VNNI)"), yes if found.vnni else no),
        (t("GPU"), ", ".join(found.gpus) or t("none")),
        (
            t("memory"),
            t(
                "{free:.1f} GiB free of {all:.1f}",
                free=found.free_memory_bytes / GIB,
                all=found.memory_bytes / GIB,
            ),
        ),
        (t("disk"), t("{free:.1f} GiB free", free=found.free_disk_bytes / GIB)),
        *((name, version or t("not installed")) for name, version in found.versions.items()),
    ]
    for extra, packages in found.missing.items():
        remedy = t('missing {packages}: pip install "tuneloop[{extra}]"', packages=", ".join(packages), extra=extra)
        rows.append((t("extra {name}", name=extra), remedy))
    print_table([t("what"), t("found")], rows)


def _roofline(workspace: Path, *, as_json: bool, quiet: bool) -> None:
    """Measure, show, and keep what trainings and servers of this workspace are compared with."""
    from tuneloop.core.paths import Workspace
    from tuneloop.models.roofline import keep, measure

    found = measure(quiet=quiet)
    path = keep(found, Workspace(workspace).cache)
    if as_json:
        print_json(asdict(found) | {"path": str(path)})
        return
    print_table([t("what"), t("measured")], rows(found), title=found.machine)
    say(t("Kept in {path}: trainings and servers of this workspace say which share of it they use.", path=path))


def rows(found: Roofline) -> list[tuple[str, str]]:
    """A line for each limit of the machine."""
    giga, integers = 1e9, found.int8
    return [
        (t("fp32 matrix products"), t("{value:,.0f} GFLOP/s", value=found.fp32 / giga)),
        (t("bf16 matrix products"), t("{value:,.0f} GFLOP/s", value=found.bf16 / giga)),
        (
            t("int8 matrix products (ONNX Runtime)"),
            t("not measured") if integers is None else t("{value:,.0f} GOP/s", value=integers / giga),
        ),
        (t("memory"), t("{value:,.1f} GB/s", value=found.memory / giga)),
    ]
