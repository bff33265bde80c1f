"""What decides on the trials of a search: which settings come next, who is behind, whose run is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig, parse_config, put_setting
from tuneloop.core.errors import ConfigError
from tuneloop.core.experiments import Axis
from tuneloop.experiments.study import (
    FAILED,
    RUN,
    SECONDS,
    TAKEN_UP,
    WORK,
    best,
    distribution,
    done,
    note,
    open_study,
    summary,
    take_up,
)
from tuneloop.methods import create_method

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Trial:
    """What is tried.

    Args:
        number: of the trial.
        settings: by dotted name.
        work: the folder in the search's where it trains.
        taken_up: whether it goes on with the run that is there.
    """

    number: int
    settings: dict[str, Any]
    work: str
    taken_up: bool


class Referee:
    """The study of a search, of which no other process writes.

    Args:
        place: the search's folder.
        apart: whether trials are at work side by side, each in a folder of its own.
    """

    def __init__(self, config: RunConfig, place: Path, *, apart: bool = False) -> None:
        self._study, self._apart = open_study(config, place), apart
        take_up(self._study)
        self._axes = {
            name: distribution(axis, whole=_is_whole(config, name, axis)) for name, axis in config.search.space.items()
        }
        self._trials: dict[int, optuna.Trial] = {}

    def next(self) -> Trial:
        """The next trial; what dead processes were at comes first."""
        trial = self._study.ask(self._axes)
        if self._apart and WORK not in trial.user_attrs:
            trial.set_user_attr(WORK, f"work-{trial.number}")
        self._trials[trial.number] = trial
        settings = {name: whole(value) for name, value in trial.params.items()}
        taken_up = bool(trial.user_attrs.get(TAKEN_UP))
        return Trial(trial.number, settings, trial.user_attrs.get(WORK, "work"), taken_up)

    def behind(self, number: int, evaluation: int, figure: float) -> bool:
        """Whether a trial with this figure at this evaluation, from 1, is to be given up."""
        self._trials[number].report(figure, evaluation)
        return bool(self._trials[number].should_prune())

    def given_up(self, number: int) -> None:
        """A trial has ended because it was behind."""
        self._tell(number, state="PRUNED")

    def failed(self, number: int, why: str) -> None:
        """A trial has ended by an error of its settings."""
        self._trials[number].set_user_attr(FAILED, why)
        self._tell(number, state="FAIL")

    def is_best(self, value: float) -> bool:
        """Whether no finished trial has reached it."""
        before = best(self._study)
        return before is None or before.values[0] < value

    def finished(self, number: int, value: float, *, seconds: float, run: str) -> str:
        """A trial has ended with this figure; the run that need no longer be kept, if it was the best until now.

        Args:
            run: its id, where it is kept as the best; else empty.
        """
        before = best(self._study)
        trial = self._trials[number]
        trial.set_user_attr(SECONDS, seconds)
        if run:
            trial.set_user_attr(RUN, run)
        self._tell(number, value)
        return str(before.user_attrs[RUN]) if run and before is not None else ""

    def ended(self) -> int:
        """How many trials came to an end."""
        return len(done(self._study))

    def note(self) -> str:
        """The best figure so far, for a progress bar."""
        return note(self._study)

    def summary(self, config: RunConfig, metric: str) -> dict[str, Any]:
        """What search.json holds.

        Raises:
            TrainingError: if no trial finished.
        """
        return summary(self._study, config, metric=metric)

    def _tell(self, number: int, value: float | None = None, *, state: str = "COMPLETE") -> None:
        from optuna.trial import TrialState

        self._study.tell(self._trials.pop(number), value, state=TrialState[state])


def with_settings(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    """The configuration with `{"training.epochs": 1}`-like settings in place.

    Raises:
        ConfigError: if there is no such setting, or the value is impossible.
    """
    plain = config.model_dump(mode="json")
    for dotted, value in settings.items():
        put_setting(plain, dotted, value)
    changed = parse_config(plain, where="search.space")
    create_method(changed.method)
    return changed


def check_space(config: RunConfig) -> None:
    """Every end of every axis must be a possible value."""
    for name, axis in config.search.space.items():
        for value in axis.choices or (axis.low, axis.high):
            with_settings(config, {name: whole(value)})


def whole(value: Any) -> Any:
    """A whole number as such."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_whole(config: RunConfig, name: str, axis: Axis) -> bool:
    """Whether the setting takes whole numbers alone: not guessed from its name, but tried."""
    if axis.choices or axis.low is None or not float(axis.low).is_integer():
        return False
    try:
        with_settings(config, {name: axis.low + 0.5})
    except ConfigError:
        return True
    return False
