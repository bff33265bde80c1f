"""Data files of a project, to choose from: by what lies in its folder, never by a path from a page."""

from __future__ import annotations

from pathlib import Path

ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".conll", ".txt")
MOST = 200
"""Files in a list."""


def data_files(base: Path) -> list[str]:
    """Names of data files in the folder of a project and in the folders in it, from there, by name."""
    found = [path for pattern in ("*", "*/*") for path in base.glob(pattern)]
    names = [path.relative_to(base).as_posix() for path in found if path.suffix.lower() in ENDINGS and path.is_file()]
    return sorted(name for name in names if not name.startswith("."))[:MOST]
