"""What is known of a search: its trials in a SQLite file, through Optuna."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import RunConfig
from tuneloop.core.errors import MissingExtraError, TrainingError
from tuneloop.core.experiments import Axis
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    import optuna

TAKEN_UP, WORK, RUN, FAILED, SECONDS = "taken_up", "work", "run", "failed", "seconds"
"""Attributes of a trial: whether it goes on with the run of a dead process, the folder where it trains if that is its
own, the run it has become, why it failed, and how long its steps took."""

FEWEST_FOR_IMPORTANCE = 4
"""Finished trials from which it is said how much each setting matters."""


def open_study(config: RunConfig, place: Path) -> optuna.Study:
    """The trials in `place`, none at first.

    Raises:
        MissingExtraError: if optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "search") from None
    optuna.logging.set_verbosity(logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{place / 'study.sqlite'}",
        study_name=config.name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=config.search.reduction),
    )
    # a search that goes on must not propose again what it began with
    study.sampler = optuna.samplers.TPESampler(seed=config.seed + len(study.trials), n_startup_trials=5)
    return study


def take_up(study: optuna.Study) -> None:
    """The trial that a dead process was at is asked for again, with its settings, to go on with its run."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        where = {name: value for name, value in trial.user_attrs.items() if name == WORK}
        study.enqueue_trial(trial.params, user_attrs={TAKEN_UP: True} | where)


def distribution(axis: Axis, *, whole: bool) -> optuna.distributions.BaseDistribution:
    """An axis as Optuna has it.

    Args:
        whole: whether only whole numbers are possible.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    low, high = float(axis.low or 0.0), float(axis.high or 0.0)
    step = axis.step or 1.0
    if (whole or axis.step) and all(number.is_integer() for number in (low, high, step)):
        return IntDistribution(int(low), int(high), log=axis.log, step=int(step))
    return FloatDistribution(low, high, log=axis.log, step=axis.step)


def done(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that came to an end: finished, given up, or failed for a reason of their own."""
    return [each for each in study.trials if each.state.name in ("COMPLETE", "PRUNED") or FAILED in each.user_attrs]


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in study.trials if trial.state.name == "COMPLETE"]


def best(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The first of the best finished trials."""
    return max(_finished(study), key=lambda trial: trial.values[0], default=None)


def note(study: optuna.Study) -> str:
    """The best figure so far, for a progress bar."""
    chosen = best(study)
    return "" if chosen is None else t("best {value}", value=f"{chosen.values[0]:.3f}")


def summary(study: optuna.Study, config: RunConfig, *, metric: str) -> dict[str, Any]:
    """What search.json holds.

    Raises:
        TrainingError: if no trial finished.
    """
    chosen, ended = best(study), done(study)
    if chosen is None:
        why = next((trial.user_attrs[FAILED] for trial in ended if FAILED in trial.user_attrs), t("all were given up"))
        raise TrainingError(
            t("No trial of the search succeeded: {reason}", reason=why), t("Make search.space smaller and try again.")
        )
    return {
        "name": config.name,
        "metric": metric,
        "space": {
            name: axis.model_dump(mode="json", exclude_defaults=True) for name, axis in config.search.space.items()
        },
        "best": {
            "trial": chosen.number,
            "value": chosen.values[0],
            "settings": chosen.params,
            "run": chosen.user_attrs[RUN],
        },
        "importance": _importance(study),
        "trials": [_trial(trial) for trial in ended],
    }


def _trial(trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    figures = list(trial.intermediate_values.values())
    return {
        "trial": trial.number,
        "state": {"COMPLETE": "finished", "PRUNED": "given up"}.get(trial.state.name, "failed"),
        "value": trial.value if trial.state.name == "COMPLETE" else max(figures, default=None),
        "figures": figures,
        "settings": trial.params,
        "seconds": trial.user_attrs.get(SECONDS),
        "failed": trial.user_attrs.get(FAILED),
    }


def _importance(study: optuna.Study) -> dict[str, float]:
    """How much of the differences between finished trials each setting explains (fANOVA); empty where too few are."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len(_finished(study)) < FEWEST_FOR_IMPORTANCE or len({trial.value for trial in _finished(study)}) < 2:
        return {}
    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: round(float(share), 4) for name, share in found.items()}
