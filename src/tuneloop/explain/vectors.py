"""What the last layer of a model receives of texts, where its engine can be looked into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from tuneloop.data.examples import Input
    from tuneloop.inference.inside import Inside
    from tuneloop.tasks.base import ModelHandle

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


def lacks_vectors(model: ModelHandle) -> str:
    """Why there is no vector for each text; empty if there is one."""
    from tuneloop.inference.inside import look_inside

    inside = look_inside(model)
    if inside is None:
        return t("it is no torch model in fp32.")
    if model.task.layout != "whole":
        return t("it does not read a text as one.")
    tokens = inside.predictor.tokenizer.encode([("a", "a") if model.task.takes_pairs else "a"])
    if tokens.columns != 1 or tokens.owners is not None:
        return t("it does not read a text as one.")
    try:
        vectors_of(model, [("a", "a") if model.task.takes_pairs else "a"])
    except ModelError as error:
        return error.problem
    return ""


def vectors_of(model: ModelHandle, inputs: Sequence[Input]) -> FloatArray:
    """What the last layer receives of each input, float32, (n, hidden), in order.

    Raises:
        ModelError: if the model does not give one vector for each text: see `lacks_vectors`.
    """
    from tuneloop.models.forward import head_inputs

    inside = _inside(model)
    predictor: Any = inside.predictor
    tokens = predictor.tokenizer.encode(predictor.mended(inputs))
    return head_inputs(inside.model, tokens, "fp32", max_tokens=predictor.engine.max_batch_tokens)


def last_layer(model: ModelHandle) -> tuple[FloatArray, FloatArray | None]:
    """Weights (outputs, hidden) and biases (outputs,) of the last layer; None where it has no bias.

    Raises:
        ModelError: if the model cannot be looked into.
    """
    from tuneloop.models.load import head_of

    head = head_of(_inside(model).model)
    bias = None if head.bias is None else head.bias.detach().float().cpu().numpy()
    return head.weight.detach().float().cpu().numpy(), bias


def _inside(model: ModelHandle) -> Inside:
    from tuneloop.inference.inside import look_inside

    found = look_inside(model)
    if found is None:
        raise ModelError(
            t("The model {name} gives no vectors of texts.", name=model.name), t("Open it with torch-fp32.")
        )
    return found
