"""Linear probe: the model stays as it is, only its last layer is solved for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuneloop.core.options import Options
from tuneloop.methods.base import Solution, SolvedMethod, check_whole
from tuneloop.methods.split import Split
from tuneloop.models.features import cached_features
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.tasks.base import FloatArray, Task

    Array = np.ndarray[Any, np.dtype[np.float64]]

MAX_ITERATIONS = 500


class ProbeOptions(Options):
    """Options of the linear probe."""

    penalties: tuple[float, ...] = Field(
        (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001),
        min_length=1,
        description="Strengths of the L2 penalty to try; the best on dev is kept.",
    )
    recalibrate: bool = Field(
        False,
        description="Keep the layer of a tuned model; only scale its logits and move each class's, as fits dev best.",
    )


class LinearProbe(SolvedMethod):
    """The last layer minimises the task's mean loss + penalty / 2 x squared weights, on standardised features.

    For classification this is scikit-learn's LogisticRegression with C = 1 / (penalty x rows), for
    several labels one of them per class, for regression Ridge; class weights and label smoothing count
    as in any method. See Alain and Bengio, "Understanding intermediate layers using linear classifier
    probes" (2016). The standardisation is folded into the layer, so the model is an ordinary one.
    """

    name = "probe"
    learns_probabilities = True
    Options = ProbeOptions
    options: ProbeOptions

    def check(self, task: Task) -> None:
        check_whole(task, method=self.name)

    def prepare(self, model: PreTrainedModel) -> None:
        model.requires_grad_(False)
        head_of(model).requires_grad_(True)

    def import_libraries(self) -> None:
        import scipy.optimize  # noqa: F401

    def solve(
        self, model: PreTrainedModel, task: Task, *, train: Split, dev: Split, precision: str, cache: Path
    ) -> Solution:
        dev_features = cached_features(model, dev.tokens, precision, cache=cache)
        if self.options.recalibrate:
            return _recalibrated(head_of(model), dev_features, dev, task)
        features = cached_features(model, train.tokens, precision, cache=cache)
        problem = _Problem(features, train.targets(task), task, with_bias=head_of(model).bias is not None)
        trials, layers, start = [], [], None
        for penalty in sorted(self.options.penalties, reverse=True):
            start = problem.solve(penalty, start)
            weight, bias = problem.layer(start)
            logits = (dev_features @ weight.T + bias).astype(np.float32)
            figures = task.metrics(dev.labels, task.scores(task.unscale(logits)))
            trials.append({"penalty": penalty, **{f"dev_{name}": value for name, value in figures.items()}})
            layers.append((weight, bias))
        # max takes the first of equals: the strongest penalty
        chosen = max(range(len(trials)), key=lambda number: trials[number][f"dev_{task.primary_metric}"])
        _write(head_of(model), *layers[chosen])
        return Solution(trials, chosen)


class _Problem:
    """A convex problem over the weights (outputs, hidden) and the bias (outputs,) in one flat vector.

    Args:
        features: (n, hidden); standardised here, only scaled where the layer has no bias.
        targets: as `Split.targets` gives them.
    """

    def __init__(self, features: FloatArray, targets: np.ndarray[Any, Any], task: Task, *, with_bias: bool) -> None:
        import torch

        self.task, self.with_bias = task, with_bias
        spread = features.std(axis=0, dtype=np.float64)
        self.scale = np.where(spread > 1e-9, spread, 1.0)
        self.centre = features.mean(axis=0, dtype=np.float64) * with_bias
        self.inputs = torch.from_numpy(((features - self.centre) / self.scale).astype(np.float32))
        self.targets = torch.from_numpy(targets)

    def solve(self, penalty: float, start: Array | None) -> Array:
        """The flat solution, from an earlier one if there is one (L-BFGS)."""
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        first = start if start is not None else np.zeros(self.task.outputs * (self.inputs.shape[1] + 1))
        limits = {"maxiter": MAX_ITERATIONS, "gtol": 1e-5, "ftol": 1e-9}
        with threadpool_limits(1, user_api="blas"):  # scipy's threads would wait in turns with torch's
            found: Array = minimize(self._value, first, (penalty,), method="L-BFGS-B", jac=True, options=limits).x
        return found

    def layer(self, flat: Array) -> tuple[Array, Array]:
        """Weights and bias for features as they are, not standardised."""
        weight, bias = self._parts(flat)
        weight = weight / self.scale
        return weight, (bias - weight @ self.centre) * self.with_bias

    def _parts(self, flat: Any) -> tuple[Any, Any]:
        outputs = self.task.outputs
        return flat[:-outputs].reshape(outputs, -1), flat[-outputs:]

    def _value(self, flat: Array, penalty: float) -> tuple[float, Array]:
        import torch

        variable = torch.tensor(flat, dtype=torch.float32, requires_grad=True)
        weight, bias = self._parts(variable)
        logits = self.inputs @ weight.T + bias * self.with_bias
        value = self.task.loss(logits, self.targets).mean() + penalty / 2 * weight.square().sum()
        (gradient,) = torch.autograd.grad(value, variable)
        return float(value.detach()), gradient.numpy().astype(np.float64)


def solve_head(head: torch.nn.Linear, features: FloatArray, labels: list[Any], task: Task, *, penalty: float) -> None:
    """Give a linear layer the best weights for what it receives, (n, hidden), with one strength of the penalty."""
    problem = _Problem(features, task.targets(labels), task, with_bias=head.bias is not None)
    _write(head, *problem.layer(problem.solve(penalty, None)))


def _recalibrated(head: torch.nn.Linear, features: FloatArray, dev: Split, task: Task) -> Solution:
    """Scale the layer's logits and add a number for each output, so that the task's loss on dev is the least.

    Guo et al., "On Calibration of Modern Neural Networks" (2017), section 4.2, with the biases of vector scaling alone:
    one number more than outputs, which a change of the classes' shares needs and few rows tell.
    """
    import torch
    from scipy.optimize import minimize

    weight = head.weight.detach().numpy(force=True).astype(np.float64)
    bias = np.zeros(len(weight)) if head.bias is None else head.bias.detach().numpy(force=True).astype(np.float64)
    logits = features @ weight.T + bias
    given, targets = torch.from_numpy(logits), torch.from_numpy(task.targets(dev.labels))
    movable = float(head.bias is not None)

    def value(flat: Array) -> tuple[float, Array]:
        variable = torch.tensor(flat, dtype=torch.float64, requires_grad=True)
        found = task.loss((given * variable[0].exp() + variable[1:] * movable).float(), targets).mean()
        # a little hold, or the scale has no end where every answer is right
        loss = found + 1e-3 * variable.square().sum()
        (gradient,) = torch.autograd.grad(loss, variable)
        return float(loss.detach()), gradient.numpy()

    flat: Array = minimize(value, np.zeros(1 + len(bias)), method="L-BFGS-B", jac=True).x
    scale, moved = float(np.exp(flat[0])), flat[1:] * movable
    _write(head, weight * scale, bias * scale + moved)
    figures = task.metrics(dev.labels, task.scores(task.unscale((logits * scale + moved).astype(np.float32))))
    return Solution([{"scale": scale, **{f"dev_{name}": value for name, value in figures.items()}}], 0)


def _write(head: torch.nn.Linear, weight: Array, bias: Array) -> None:
    import torch

    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weight))
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(bias))
