"""The rows of a snapshot for looking at: filtered and a page at a time, quick with hundreds of thousands of rows."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t
from tuneloop.data.correcting import SnapshotRow
from tuneloop.data.snapshot_folder import Snapshot, open_snapshot
from tuneloop.data.split import SPLITS
from tuneloop.data.stored import as_label

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

COLUMNS = ("id", "text", "pair", "label")


class SnapshotTable:
    """The texts and labels of a snapshot in memory, as Arrow has them: about as many bytes as the texts.

    Args:
        snapshot: what `open_snapshot` gave.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        import pyarrow as pa

        self._table = pa.concat_tables([_read(snapshot.path, split) for split in SPLITS])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def page(
        self, *, split: str = "", label: str = "", search: str = "", start: int = 0, count: int = 25
    ) -> tuple[list[SnapshotRow], int]:
        """Some of the rows that fit, and how many fit.

        Args:
            split: train, dev or test; empty for all.
            label: a class that the row has; empty for all.
            search: what text, pair or id hold, whatever the case.
            start: how many to pass over.
        """
        fitting = self._where(split, label, search)
        return [_row(each) for each in fitting.slice(start, count).to_pylist()], int(fitting.num_rows)

    def row(self, split: str, id: str) -> SnapshotRow:
        """One row.

        Raises:
            DataError: if there is none.
        """
        import pyarrow.compute as pc

        table = self._table
        found = table.filter(pc.and_(pc.equal(table["split"], split), pc.equal(table["id"], id))).to_pylist()
        if not found:
            raise DataError(
                t("The {split} split has no row {id}.", split=split, id=id[:60]),
                t("Rows are named by data.columns.id, else by their number in the file; see them in: tuneloop studio"),
            )
        return _row(found[0])

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows per class and split, the commonest class first; empty where labels are numbers."""
        import pyarrow as pa

        kind = self._table["label"].type
        if not (pa.types.is_string(kind) or pa.types.is_list(kind)):
            return {}
        found = {split: self._counted(split) for split in SPLITS}
        names = sorted({name for each in found.values() for name in each}, key=lambda name: -found["train"][name])
        return {name: {split: each[name] for split, each in found.items()} for name in names}

    def histogram(self, *, bins: int = 30) -> tuple[list[float], dict[str, list[int]]]:
        """Borders of equal steps, and the numbers between them per split; empty where labels are no numbers."""
        import numpy as np
        import pyarrow as pa

        if not pa.types.is_floating(self._table["label"].type) or not len(self):
            return [], {}
        values = {split: self._where(split, "", "")["label"].to_numpy() for split in SPLITS}
        borders = np.histogram_bin_edges(np.concatenate(list(values.values())), bins=bins)
        return borders.tolist(), {split: np.histogram(each, borders)[0].tolist() for split, each in values.items()}

    def _counted(self, split: str) -> Counter[str]:
        """A class counts once in a row."""
        import pyarrow as pa
        import pyarrow.compute as pc

        names, rows = _names(self._where(split, "", "")["label"])
        if rows is not None:
            once = pa.table([names, rows], names=["name", "row"]).group_by(["name", "row"]).aggregate([])
            names = once["name"]
        return Counter({str(each["values"]): int(each["counts"]) for each in pc.value_counts(names).to_pylist()})

    def _where(self, split: str, label: str, search: str) -> pa.Table:
        import pyarrow.compute as pc

        table = self._table
        if split:
            table = table.filter(pc.equal(table["split"], split))
        if label:
            table = table.filter(_has(table["label"], label))
        if search:
            found = pc.equal(table["id"], search)
            for name in ("text", "pair"):
                inside = pc.match_substring(table[name], search, ignore_case=True)
                found = pc.or_(found, pc.fill_null(inside, False))
            table = table.filter(found)
        return table


@lru_cache(maxsize=2)
def table_of(path: Path) -> SnapshotTable:
    """The table of the snapshot in a folder, which never changes; the last two are kept.

    Raises:
        DataError: if it is damaged.
    """
    return SnapshotTable(open_snapshot(path))


def _read(folder: Path, split: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / f"{split}.parquet") as file:
        table = file.read(columns=[name for name in COLUMNS if name in file.schema_arrow.names])
    if "pair" not in table.column_names:
        table = table.append_column("pair", pa.nulls(table.num_rows, pa.string()))
    return table.select(list(COLUMNS)).append_column("split", pa.array([split] * table.num_rows, pa.string()))


def _row(values: dict[str, Any]) -> SnapshotRow:
    return SnapshotRow(values["split"], values["id"], values["text"], values["pair"], as_label(values["label"]))


def _names(labels: pa.ChunkedArray) -> tuple[pa.Array, pa.Array | None]:
    """The classes in a column, and for lists the number of the row of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = labels.combine_chunks()
    if not pa.types.is_list(column.type):
        return column, None
    values = pc.list_flatten(column)
    names = pc.struct_field(values, "label") if pa.types.is_struct(values.type) else values
    return names, pc.list_parent_indices(column)


def _has(labels: pa.ChunkedArray, name: str) -> pa.Array:
    """For each row whether it has the class."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    names, rows = _names(labels)
    found = pc.equal(pc.cast(names, pa.string()), name)
    if rows is None:
        return found
    mask = np.zeros(len(labels), dtype=bool)
    mask[pc.filter(rows, found).to_numpy()] = True
    return pa.array(mask)
