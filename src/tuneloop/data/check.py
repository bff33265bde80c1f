"""What there is to know of a snapshot before a model is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from tuneloop.core.i18n import t
from tuneloop.core.progress import Bar, progress
from tuneloop.data.conversation import spoken
from tuneloop.data.examples import Examples, Input, Label, Span
from tuneloop.data.label_errors import Suspects, suspected_labels
from tuneloop.data.mapped import Chained, mapped
from tuneloop.data.personal_data import PersonalData, find_personal_data
from tuneloop.data.problems import Problem, find_problems
from tuneloop.data.snapshot_folder import Snapshot
from tuneloop.data.split import SPLITS
from tuneloop.data.text_statistics import Lengths, lengths, scripts

TokenCounter = Callable[[Sequence[Input]], "np.ndarray[Any, Any]"]
"""Lengths in tokens of inputs, before any cut, shape (n,)."""

MAX_SUSPECTS = 50
COUNTED_AT_ONCE = 20_000
"""Texts whose tokens are counted between two words on how far it is; of each only the number is kept."""


@dataclass(frozen=True)
class SuspectRow:
    """A row whose label may be wrong: where it is, what it says, what a cheap model would say."""

    split: str
    id: str
    text: str
    label: Label
    suggested: Label
    score: float


@dataclass(frozen=True)
class CheckReport:
    """The findings.

    Args:
        name: of the snapshot.
        hash: of the snapshot.
        task: type of the task.
        rows: rows per split.
        labels: per class the rows in train, dev and test; empty for numbers.
        numbers: per split the lowest, mean and highest label; empty for classes.
        characters: lengths of the texts per split.
        tokens: the same in tokens; empty without a counter.
        too_long: share of the texts longer than the model reads; None without a counter.
        scripts: share of the texts in each script.
        snapshot: the snapshot's own report: source, cleaning, duplicates.
        suspects: rows whose label may be wrong, the most suspicious first, at most `MAX_SUSPECTS`.
        suspect_rows: how many there are in all.
        examined: how many rows were looked at for that.
        drawn_from: of how many rows these are a sample, where there are too many to look at all; 0 if that is unknown.
        personal: hints of personal data.
        answers: lengths in characters of the answers per split, where these are written texts; empty otherwise.
    """

    name: str
    hash: str
    task: str
    rows: dict[str, int]
    labels: dict[str, dict[str, int]]
    numbers: dict[str, dict[str, float]]
    characters: dict[str, Lengths]
    tokens: dict[str, Lengths]
    too_long: float | None
    scripts: dict[str, float]
    snapshot: dict[str, Any]
    suspects: list[SuspectRow]
    suspect_rows: int
    examined: int
    personal: list[PersonalData]
    answers: dict[str, Lengths] = field(default_factory=dict)
    drawn_from: int = 0

    @property
    def problems(self) -> list[Problem]:
        """What should be done something about, the gravest first, in the language in force."""
        return find_problems(self)

    @property
    def ok(self) -> bool:
        """Whether no problem is an error."""
        return all(problem.severity != "error" for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self) | {"problems": [asdict(problem) for problem in self.problems]}


def check(
    snapshot: Snapshot,
    *,
    seed: int,
    count_tokens: TokenCounter | None = None,
    max_tokens: int | None = None,
    free_answers: bool = False,
    quiet: bool = False,
) -> CheckReport:
    """What there is to know of a snapshot.

    Args:
        snapshot: what `build_snapshot` gave.
        seed: of the folds that look for label errors.
        count_tokens: lengths in tokens of the model that will be tuned.
        max_tokens: how many tokens that model will read.
        free_answers: see `Task.free_answers`: prompts and answers are measured, and no label is suspected.
        quiet: show no progress.
    """
    splits = {name: snapshot.split(name) for name in SPLITS}
    read = {name: _with_answers(rows) for name, rows in splits.items()} if free_answers else splits
    pieces = [(name, at) for name, rows in splits.items() for at in range(0, len(rows), COUNTED_AT_ONCE)]
    with progress(t("checking data"), len(pieces) + 2, quiet=quiet) as bar:
        labels = _counts(splits) if snapshot.labels else {}
        tokens = {} if count_tokens is None else _counted(splits, pieces, count_tokens, free_answers, bar)
        bar.update(len(pieces), t("personal data"))
        personal = find_personal_data(list(read.values()))
        bar.update(len(pieces) + 1, t("suspected label errors"))
        suspects, found = ([], Suspects([], 0)) if free_answers else _suspects(splits, seed)
        bar.update(len(pieces) + 2)
    return CheckReport(
        name=snapshot.name,
        hash=snapshot.hash,
        task=snapshot.task,
        rows={name: len(examples) for name, examples in splits.items()},
        labels=labels,
        numbers={
            name: _range(rows) for name, rows in splits.items() if rows.labels and isinstance(rows.labels[0], float)
        },
        characters={name: lengths(_sizes(rows.texts)) for name, rows in read.items()},
        tokens={name: lengths(values) for name, values in tokens.items()},
        too_long=_share_above(tokens, max_tokens),
        scripts=scripts(
            text for rows in read.values() for text in chain(rows.texts, (rows.pairs or ()) if free_answers else ())
        ),
        snapshot=snapshot.report,
        suspects=suspects,
        suspect_rows=len(found.found),
        examined=found.examined,
        drawn_from=found.drawn_from,
        personal=personal,
        answers={name: lengths(_sizes(rows.pairs or [])) for name, rows in read.items()} if free_answers else {},
    )


def summary_rows(report: CheckReport) -> list[tuple[str, str]]:
    """The report as (what, finding) lines for a table in a terminal, in the language in force."""
    duplicates = report.snapshot["duplicates"]
    lines = [
        (t("Rows"), ", ".join(f"{name} {rows:,}" for name, rows in report.rows.items())),
        (t("Characters (median, 95 %, longest)"), _short_lengths(report.characters["train"])),
    ]
    if report.answers:
        lines[1] = (t("Characters of prompts (median, 95 %, longest)"), lines[1][1])
        lines.append((t("Characters of answers (median, 95 %, longest)"), _short_lengths(report.answers["train"])))
    if report.tokens:
        lines.append((t("Tokens (median, 95 %, longest)"), _short_lengths(report.tokens["train"])))
    lines.append(
        (t("Scripts"), ", ".join(f"{script_name(name)} {share:.1%}" for name, share in report.scripts.items()))
    )
    for name, counts in list(report.labels.items())[:20]:
        lines.append(
            (t('Label "{name}"', name=name), ", ".join(f"{split} {count:,}" for split, count in counts.items()))
        )
    for name, numbers in report.numbers.items():
        lines.append((t("Labels of {split}", split=name), t("{low:.4g} to {high:.4g}, mean {mean:.4g}", **numbers)))
    lines += [
        (
            t("Removed"),
            t("{exact} duplicates, {near} near-duplicates, {conflicts} contradictions, {blank} blank",
              exact=duplicates["exact"], near=duplicates["near"], conflicts=duplicates["conflicts"],
              blank=report.snapshot["cleaning"].get("blank", 0)),
        ),
        *([] if report.answers else [(t("Suspected label errors"),
         suspected(report))]),
        (t("Personal data"),
         ", ".join(f"{personal_name(hint.kind)} {hint.rows:,}" for hint in report.personal) or t("none found")),
    ]  # fmt: skip
    return lines


def suspected(report: CheckReport) -> str:
    """How many labels are suspected, of how many that were looked at, and of how many rows these are a sample."""
    found = {"found": report.suspect_rows, "examined": report.examined}
    if report.drawn_from <= report.examined:
        return t("{found} of {examined} rows", **found)
    return t("{found} of {examined} rows, a sample of {total:,}", **found, total=report.drawn_from)


def script_name(name: str) -> str:
    """The name of a script, in the language in force."""
    return {
        "han": t("Chinese"), "latin": t("Latin letters"), "mixed": t("Chinese and Latin"), "other": t("other scripts"),
        "none": t("no letters"),
    }[name]  # fmt: skip


def personal_name(kind: str) -> str:
    """The name of a kind of personal data, in the language in force."""
    return {
        "email": t("e-mail addresses"), "phone": t("telephone numbers"), "id-card": t("Chinese id numbers"),
        "bank-card": t("bank card numbers"), "ip": t("IP addresses"),
    }[kind]  # fmt: skip


def _counts(splits: dict[str, Examples]) -> dict[str, dict[str, int]]:
    counts = {name: Counter(part for label in rows.labels for part in _parts(label)) for name, rows in splits.items()}
    names = sorted({name for counter in counts.values() for name in counter}, key=lambda name: -counts["train"][name])
    return {name: {split: counter[name] for split, counter in counts.items()} for name in names}


def _parts(label: Label) -> tuple[str, ...]:
    if not isinstance(label, tuple):
        return (str(label),)
    return tuple(dict.fromkeys(part.label if isinstance(part, Span) else part for part in label))


def _range(examples: Examples) -> dict[str, float]:
    values = np.array(examples.labels, dtype=np.float64)
    return {"low": float(values.min()), "mean": float(values.mean()), "high": float(values.max())}


def _sizes(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))


def _share_above(tokens: dict[str, np.ndarray[Any, Any]], limit: int | None) -> float | None:
    if limit is None or not tokens:
        return None
    return float(np.mean(np.concatenate(list(tokens.values())) > limit))


def _with_answers(examples: Examples) -> Examples:
    """Prompts as people read them, each beside its answer."""
    return replace(examples, texts=mapped(map(spoken, examples.texts)), pairs=mapped(map(str, examples.labels)))


def _counted(
    splits: dict[str, Examples],
    pieces: Sequence[tuple[str, int]],
    count_tokens: TokenCounter,
    free_answers: bool,
    bar: Bar,
) -> dict[str, np.ndarray[Any, Any]]:
    """Lengths in tokens of each split, some thousand texts at a time: no tokens outlive the counting."""
    found: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in splits}
    for done, (name, start) in enumerate(pieces):
        bar.update(done, t("tokens"))
        rows = splits[name].select(range(start, min(start + COUNTED_AT_ONCE, len(splits[name]))))
        found[name].append(count_tokens(_read_inputs(rows, free_answers)))
    return {name: np.concatenate([np.zeros(0, np.int64), *lengths]) for name, lengths in found.items()}


def _read_inputs(examples: Examples, free_answers: bool) -> Sequence[Input]:
    """What the model reads while it learns: prompts with their answers, where it is to write these."""
    if not free_answers:
        return examples.inputs
    return [(text, str(label)) for text, label in zip(examples.texts, examples.labels, strict=True)]


def _suspects(splits: dict[str, Examples], seed: int) -> tuple[list[SuspectRow], Suspects]:
    inputs = Chained([examples.inputs for examples in splits.values()])
    labels = [label for examples in splits.values() for label in examples.labels]
    if any(isinstance(part, Span) for label in labels if isinstance(label, tuple) for part in label):
        # what a cheap model says of whole texts does not tell where a stretch should be
        return [], Suspects([], 0)
    result = suspected_labels(inputs, labels, seed=seed)
    rows = []
    for suspect in result.found[:MAX_SUSPECTS]:
        number, row = inputs.place(suspect.row)
        split, examples = list(splits.items())[number]
        text = examples.texts[row] if examples.pairs is None else f"{examples.texts[row]}\n{examples.pairs[row]}"
        rows.append(SuspectRow(split, examples.ids[row], text, examples.labels[row], suspect.suggested, suspect.score))
    return rows, result


def _short_lengths(figures: Lengths) -> str:
    return f"{figures.median:,.0f}, {figures.p95:,.0f}, {figures.max:,}"
