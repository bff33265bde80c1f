"""The official splits as a snapshot: train without the rows held out, the rows held out, the official dev."""

from __future__ import annotations

from dataclasses import replace

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.labelled import LabelReader
from tuneloop.data.near import content_key
from tuneloop.data.snapshot_folder import Snapshot, save_snapshot
from tuneloop.data.split import Sizes, deal, strata
from tuneloop.suites.base import Benchmark, Suite
from tuneloop.suites.reading import Rows

HELD_OUT_SHARE, HELD_OUT_ROWS = 0.05, 2000


def hold_out(examples: Examples, task: LabelReader, *, seed: int) -> tuple[Examples, Examples]:
    """Rows to learn from, and a twentieth (2,000 at most) to choose the best weights by.

    The official dev split is not chosen by, so that the figure on it is no better than it would be on new texts. Rows
    of one group, and equal texts, stay on one side.

    Raises:
        DataError: if there are too few rows.
    """
    sizes = Sizes(dev=min(HELD_OUT_ROWS, max(1, round(HELD_OUT_SHARE * len(examples)))), test=0)
    keys = [
        content_key(f"{item}\n{label}", seed=seed)
        for item, label in zip(examples.inputs, examples.labels, strict=True)
    ]  # fmt: skip
    first: dict[object, int] = {}
    groups = examples.columns.get("group", examples.inputs)
    units = [first.setdefault(group, row) for row, group in enumerate(groups)]
    names = deal(keys, strata(examples.labels, task.label_names), units, sizes)
    plain = replace(examples, columns={})
    learnt, held = ([row for row, name in enumerate(names) if name == split] for split in ("train", "dev"))
    if not held:
        raise DataError(
            t("There are too few training rows ({rows}) to hold some out.", rows=len(examples)),
            t("Unpack the official archive of the task there."),
        )
    return plain.select(learnt), plain.select(held)


def official_snapshot(
    benchmark: Benchmark, suite: Suite, train: Rows, dev: Rows, task: LabelReader, *, seed: int, workspace: Workspace
) -> Snapshot:
    """The splits, kept in the workspace; its test split is the first official dev split.

    Raises:
        DataError: if dev has a class that train lacks.
    """
    labels = task.label_names(train.examples.labels) if task.has_classes else []
    for row in range(len(dev.examples)) if labels else ():
        if dev.examples.labels[row] not in labels:
            raise DataError(
                t("{file}, row {row}: the label {label!r} does not occur in train.", file=dev.files[0].name,
                  row=dev.examples.ids[row], label=str(dev.examples.labels[row])[:60]),
                t("Known labels: {known}.", known=", ".join(labels[:20])),
            )  # fmt: skip
    learnt, held = hold_out(train.examples, task, seed=seed)
    return save_snapshot(
        {"train": learnt, "dev": held, "test": replace(dev.examples, columns={})},
        name=f"{suite.name}-{benchmark.name}",
        task=task.name,
        labels=labels,
        settings={"suite": suite.name, "held_out": {"share": HELD_OUT_SHARE, "rows": HELD_OUT_ROWS, "seed": seed}},
        report={
            "source": {
                name: {"file": ", ".join(path.name for path in rows.files), "rows": len(rows.examples)}
                for name, rows in (("train", train), ("test", dev))
            },
            "dropped": {"train": train.dropped, "test": dev.dropped},
        },
        workspace=workspace,
    )
