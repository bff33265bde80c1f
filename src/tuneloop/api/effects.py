"""The part of the Python door that asks what would change an answer, what it leans on, and what a model goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuneloop.api.releasing import found

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.explain.causal import Effects
    from tuneloop.explain.counterfactual import Counterfactuals
    from tuneloop.explain.global_words import Overview
    from tuneloop.explain.influence import Influences
    from tuneloop.explain.nearest import Nearest
    from tuneloop.releases.read import Release
    from tuneloop.releases.scorecard import Subject
    from tuneloop.training.run import Run


def effect(
    model: Run | Release | str,
    feature: str,
    *,
    kind: Literal["phrase", "regex", "category"] = "phrase",
    after: str | None = None,
    also: Mapping[str, str] | None = None,
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
        also: more phrases, with those that are put in their place at the same time.
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
        lexicons = knowledge.lexicons if knowledge else ()
        found = feature_of(feature, kind=kind, after=after, also=also, lexicons=lexicons)
        chosen = rows_with_and_without(subject.snapshot.split("test"), found, most=rows, seed=seed)
        return effects(subject.predictor, chosen, found, confounders=confounders, seed=seed)


def counterfactual(
    model: Run | Release | str, item: Input, *, target: str | None = None, budget: int = 2000,
    workspace: Path | None = None,
) -> Counterfactuals:  # fmt: skip
    """The fewest changed words with which a run or release answers something else.

    Args:
        model: a run or release, or the name of one.
        item: a text, or a (text, pair) tuple for a model that judges pairs.
        target: the class that is wanted; any other one by default.
        budget: answers of the model at most.
        workspace: where names are looked up.

    Raises:
        ConfigError: if there is no such class, or the model answers with it already.
        DataError: if there is no word in the text.
        ModelError: if the model does not answer with one class for a text.
    """
    from tuneloop.explain.counterfactual import CounterfactualOptions, counterfactuals
    from tuneloop.explain.wording import learn_wording

    options = CounterfactualOptions.model_validate({"budget": budget})
    with opened(model, workspace) as subject:
        wording = learn_wording(subject.snapshot.split("train"))
        return counterfactuals(subject.predictor, item, wording=wording, label=target, options=options)


def evidence(
    model: Run | Release | str, item: Input, *, label: str | None = None, most: int = 5, rows: int = 5000,
    seed: int = 0, workspace: Path | None = None, quiet: bool = False,
) -> tuple[Nearest, Influences | None]:  # fmt: skip
    """The training rows nearest to a text, and those that speak most for and against its label.

    Args:
        model: a run or release, or the name of one; it is opened with torch.
        item: a text, or a (text, pair) tuple for a model that judges pairs.
        label: its right class, if it is known; by default what the model answers.
        most: rows of each kind.
        rows: training rows that are looked at; of more a random choice. The model reads each of them.
        seed: of the choice.
        workspace: where names are looked up.
        quiet: show no progress.

    Returns:
        The nearest rows; and the influences, None where the model's last layer cannot be looked into.

    Raises:
        ConfigError: if there is no such class.
        ModelError: if the model cannot be opened with torch.
    """
    from tuneloop.explain.influence import Influencing, refuses
    from tuneloop.explain.nearest import TrainingRows
    from tuneloop.inference.inside import ENGINE
    from tuneloop.inference.predictor import open_predictor

    with opened(model, workspace) as subject, closing(open_predictor(subject.folder, engine=ENGINE)) as predictor:
        known = TrainingRows(predictor, subject.snapshot.split("train"), most=rows, seed=seed, quiet=quiet)
        influences = None if refuses(predictor) else Influencing(known).of(item, label=label, most=most)
        return known.nearest(item, most=most), influences


def overview(
    model: Run | Release | str, *, rows: int = 300, seed: int = 0, workspace: Path | None = None, quiet: bool = False
) -> Overview:
    """What a run or release goes by: words and categories of its lexicons by their mean effect, and rules.

    Args:
        model: a run or release, or the name of one.
        rows: test rows that are looked at; of more a random choice.
        seed: of the choice.
        workspace: where names are looked up.
        quiet: show no progress.

    Raises:
        ModelError: if the answers are not one number for each class, or one number, of a whole text.
    """
    from tuneloop.explain.global_words import overview as look
    from tuneloop.explain.nearest import some_rows

    with opened(model, workspace) as subject:
        knowledge = subject.predictor.knowledge
        test = some_rows(subject.snapshot.split("test"), most=rows, seed=seed)
        lexicons = knowledge.lexicons if knowledge else ()
        train = subject.snapshot.split("train")
        return look(subject.predictor, train, test, lexicons=lexicons, quiet=quiet)


@contextmanager
def opened(model: Run | Release | str, workspace: Path | None) -> Iterator[Subject]:
    """A run or release with its data; its predictor is closed at the end."""
    from tuneloop.releases.scorecard import subject_of

    subject = subject_of(*found(model, workspace))
    with closing(subject.predictor):
        yield subject
