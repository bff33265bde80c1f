"""The part of the Python door that asks what a feature of texts does to the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuneloop.api.releasing import DEFAULT_WORKSPACE, find, workspace_of

if TYPE_CHECKING:
    from tuneloop.explain.causal import Effects
    from tuneloop.releases.read import Release
    from tuneloop.releases.scorecard import Subject
    from tuneloop.training.run import Run


def effect(
    model: Run | Release | str,
    feature: str,
    *,
    kind: Literal["phrase", "regex", "category"] = "phrase",
    after: str | None = None,
    confounders: Sequence[str] = (),
    rows: int = 500,
    seed: int = 0,
    workspace: Path | None = None,
) -> Effects:
    """What a feature of texts does to the answers of a run or release, measured by changing its test rows.

    Args:
        model: a run or release, or the name of one.
        feature: a word or phrase, a regular expression, or a category of the lexicons that belong to the model.
        kind: which of these.
        after: a phrase that is put in place of `feature`; else the feature is taken away and put in.
        confounders: columns of the data, or "length", that the observed difference is adjusted for.
        rows: test rows that are looked at, at most: all that have the feature, up to half of them, and others.
        seed: of the choice of rows, of places and of resamples.
        workspace: where names are looked up.

    Raises:
        ConfigError: if there is no such column or category.
        DataError: if no test row has the feature.
        ModelError: if the answers are not one number for each class, or one number, of a whole text.
    """
    from tuneloop.explain.causal import effects
    from tuneloop.explain.features import feature_of, rows_with_and_without

    with opened(model, workspace) as subject:
        knowledge = subject.predictor.knowledge
        found = feature_of(feature, kind=kind, after=after, lexicons=knowledge.lexicons if knowledge else ())
        chosen = rows_with_and_without(subject.snapshot.split("test"), found, most=rows, seed=seed)
        return effects(subject.predictor, chosen, found, confounders=confounders, seed=seed)


@contextmanager
def opened(model: Run | Release | str, workspace: Path | None) -> Iterator[Subject]:
    """A run or release with its data; its predictor is closed at the end."""
    from tuneloop.releases.scorecard import subject_of

    place = workspace_of(model, workspace or DEFAULT_WORKSPACE)
    subject = subject_of(find(model, workspace=place.root) if isinstance(model, str) else model, place)
    with closing(subject.predictor):
        yield subject
