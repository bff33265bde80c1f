"""Where examples come from, and which column is what: the section `data`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tuneloop.core.options import Options
from tuneloop.core.preparation import AugmentConfig, CleanConfig


class Columns(Options):
    """Which column of the file is what. A column that is not named here is kept for slices."""

    text: str = Field("text", description="The text to judge.")
    label: str = Field("label", description="The answer to learn: a class, several classes, or a number.")
    pair: str | None = Field(None, description="The second text, for text-pair tasks.")
    id: str | None = Field(None, description="A name of the row that is yours; row numbers otherwise.")
    group: str | None = Field(None, description="Rows of one group (a customer, a document) stay in one split.")
    time: str | None = Field(None, description="When the row was written; needed by split.by: time.")
    image: str | None = Field(None, description="Image files, their paths relative to the file; see modality.")
    audio: str | None = Field(None, description="Sound files, their paths relative to the file; see modality.")
    tabular: tuple[str, ...] = Field((), description="Columns of numbers or names that are read too; see modality.")

    @property
    def mixed(self) -> bool:
        """Whether a row is more than its text."""
        return bool(self.image or self.audio or self.tabular)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; of files and values only what is read, so that snapshots of texts keep their hash."""
        plain = self.model_dump(mode="json")
        return {name: value for name, value in plain.items() if value or name not in ("image", "audio", "tabular")}


class SplitConfig(Options):
    """How rows are dealt into train, dev and test."""

    by: Literal["label", "group", "time", "random"] = Field(
        "label", description="label: equal shares of each class; group: groups stay whole; time: the newest is test."
    )
    dev: float = Field(0.1, gt=0, description="Share (below 1) or number of rows (1 or more) of the dev split.")
    test: float = Field(0.1, gt=0, description="Share (below 1) or number of rows (1 or more) of the test split.")
    train: float | None = Field(None, gt=0, description="Share or number of training rows; the rest by default.")


class DataConfig(Options):
    """Where the examples come from."""

    source: str = Field(description="A file (csv, tsv, jsonl, parquet, txt, conll), a datasets folder, or sample:NAME.")
    dev: str | None = Field(None, description="A file with the dev split, if you have one.")
    test: str | None = Field(None, description="A file with the test split, if you have one.")
    format: Literal[
        "auto", "csv", "tsv", "plain_tsv", "jsonl", "txt", "conll", "slashed", "squad", "c3", "chid", "chat",
        "preferences", "dialogues", "parquet", "datasets",
    ] = Field(
        "auto",
        description="auto looks at the name; plain_tsv has no quotes; chat, preferences, squad, c3, chid as published.",
    )  # fmt: skip
    encoding: str = Field("auto", description="auto detects it; or a name such as utf-8 or gb18030.")
    columns: Columns = Field(default_factory=Columns, description="Which column is what.")  # type: ignore[arg-type]
    split: SplitConfig = Field(default_factory=SplitConfig, description="How rows are dealt into splits.")  # type: ignore[arg-type]
    clean: CleanConfig = Field(default_factory=CleanConfig, description="What is mended first.")  # type: ignore[arg-type]
    corrections: str = Field(
        "corrections.jsonl",
        min_length=1,
        description="Labels that people changed and rows that they left out; it need not be there.",
    )
    augment: AugmentConfig = Field(default_factory=AugmentConfig, description="Perturbed copies of training rows.")  # type: ignore[arg-type]
    max_text_chars: int = Field(100_000, ge=1, description="A longer text is an error: it is hardly one example.")
