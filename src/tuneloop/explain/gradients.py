"""What explainers share that look into the torch model: the target as a function of tensors, tokens as units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.i18n import t
from tuneloop.explain.base import Explainer
from tuneloop.explain.target import Target
from tuneloop.explain.units import Unit
from tuneloop.inference.inside import ENGINE, Inside, Reading, look_inside

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.tasks.base import ModelHandle, Task

    FloatArray = np.ndarray[Any, np.dtype[np.float64]]


class LookingInside(Explainer):
    """An explainer that needs the torch model itself."""

    inside = True

    def refuses(self, model: ModelHandle) -> str:
        """Why it has nothing to say about this model; empty if it has."""
        if why := super().refuses(model):
            return why
        if look_inside(model) is None:
            return t(
                "it looks into the model, which only the engine {engine} lets it do, and no model of several adapters.",
                engine=ENGINE,
            )
        return ""

    def opened(self, model: ModelHandle) -> Inside:
        """The torch model.

        Raises:
            ModelError: if there is none.
        """
        found = look_inside(model)
        if found is None:
            raise ModelError(t("The model {name} cannot be looked into.", name=model.name))
        return found


def captum_attr() -> Any:
    """captum's attribution methods.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        import captum.attr
    except ImportError:
        raise MissingExtraError("captum", "explain") from None
    return captum.attr


def forward(inside: Inside, task: Task, target: Target, reading: Reading) -> Callable[[Tensor], Tensor]:
    """The explained number (texts,) as a function of token ids (texts, tokens); all else is as in `reading`."""
    number = _number(target, one_of_several=task.problem_type == "single_label_classification")

    def answer(ids: Tensor) -> Tensor:
        others = {name: tensor.expand(len(ids), -1) for name, tensor in reading.tensors.items() if name != "input_ids"}
        return number(inside.model(input_ids=ids, **others).logits.float())

    return answer


def _number(target: Target, *, one_of_several: bool) -> Callable[[Tensor], Tensor]:
    """Logits (texts, outputs) to the explained number (texts,), as `Task.scores` and `Target.of` have it."""
    column = target.column

    def log_odds(logits: Tensor) -> Tensor:
        if not one_of_several:
            return logits[:, column]
        others = [other for other in range(logits.shape[1]) if other != column]
        return logits[:, column] - logits[:, others].logsumexp(dim=1)

    if target.scale == "value":
        return lambda logits: logits[:, column]
    return log_odds if target.scale == "log_odds" else lambda logits: log_odds(logits).sigmoid()


def unit_of_tokens(reading: Reading, units: Sequence[Unit]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The number of the unit in which each token begins, -1 where it is in none, (tokens,)."""
    owners = np.full(len(reading.texts), -1, dtype=np.int64)
    for number, unit in enumerate(units):
        text = 0 if unit.part == "text" else 1
        starts = reading.places[:, 0]
        owners[(reading.texts == text) & (starts >= unit.start) & (starts < unit.end)] = number
    return owners


def by_unit(values: FloatArray, owners: np.ndarray[Any, Any], units: int) -> FloatArray:
    """The sums of the tokens' values (tokens,) over each unit, (units,)."""
    ours = owners >= 0
    return np.bincount(owners[ours], values[ours], minlength=units).astype(np.float64)
