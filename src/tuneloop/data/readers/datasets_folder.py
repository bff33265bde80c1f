"""Folders written by `Dataset.save_to_disk` of the Hugging Face datasets library."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.readers.parquet import AT_ONCE, from_batches
from tuneloop.data.readers.table import Table

SPLIT_NAMES = {"train": ("train",), "dev": ("validation", "dev", "valid", "val"), "test": ("test",)}
"""What a DatasetDict calls our splits."""


def read_datasets_folder(path: Path, *, encoding: str = "auto", split: str = "train") -> Table:
    """One split of a saved Dataset or DatasetDict; class numbers become class names.

    Raises:
        DataError: if the folder is none, is damaged, or has no such split.
        MissingExtraError: if the datasets library is not installed.
    """
    names = split_names(path)
    if not (path / "dataset_dict.json").is_file() and not (path / "state.json").is_file():
        raise DataError(
            t("{path} is a folder, but not one of the datasets library.", path=path),
            t("Name a file inside it, or save the data with Dataset.save_to_disk."),
        )
    try:
        from datasets import load_from_disk
    except ImportError:
        raise MissingExtraError("datasets", "datasets") from None
    try:
        loaded: Any = load_from_disk(str(path))
    except Exception as error:  # datasets lets errors of Arrow, JSON and its own classes through
        raise DataError(
            t("{path} cannot be read: {error}", path=path, error=str(error)[:200]),
            t("Save the data again with Dataset.save_to_disk."),
        ) from error
    if isinstance(loaded, dict):
        found = names.get(split) or (next(iter(loaded)) if split == "train" and len(loaded) == 1 else None)
        if found is None:
            raise DataError(
                t("{path} has no split for {split}.", path=path, split=split),
                t("Its splits: {known}.", known=", ".join(loaded)),
            )
        loaded = loaded[found]
    rows = loaded.with_format("arrow")[:]
    table = from_batches(path, rows.column_names, rows.to_batches(AT_ONCE))
    return _with_class_names(table, loaded.features)


def split_names(path: Path) -> dict[str, str]:
    """Our names of the splits (train, dev, test) that a saved DatasetDict has, to its own."""
    listing = path / "dataset_dict.json"
    if not listing.is_file():
        return {}
    try:
        theirs = json.loads(listing.read_text(encoding="utf-8"))["splits"]
    except (OSError, ValueError, KeyError):
        return {}
    found = {ours: [name for name in names if name in theirs] for ours, names in SPLIT_NAMES.items()}
    return {ours: names[0] for ours, names in found.items() if names}


def _with_class_names(table: Table, features: Any) -> Table:
    named = {}
    for name, feature in features.items():
        names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
        if names:
            named[name] = [_named(value, names) for value in table.columns[name]]
    return replace(table, columns={**table.columns, **named})


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    return names[value] if value is not None and 0 <= value < len(names) else None
