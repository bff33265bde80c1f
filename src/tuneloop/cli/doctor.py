"""`tuneloop doctor`."""

from __future__ import annotations

from dataclasses import asdict

from tuneloop.cli.show import AsJson, WorkspacePath, print_json, print_table, workspace_root
from tuneloop.core.i18n import t


def doctor(workspace: WorkspacePath = None, as_json: AsJson = False) -> None:
    """What this machine can do, and the command that brings what is missing."""
    from tuneloop.core.machine import GIB, look

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
    for extra, modules in found.missing.items():
        remedy = t('missing {modules}: pip install "tuneloop[{extra}]"', modules=", ".join(modules), extra=extra)
        rows.append((t("extra {name}", name=extra), remedy))
    print_table([t("what"), t("found")], rows)
