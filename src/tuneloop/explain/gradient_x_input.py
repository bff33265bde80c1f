"""Gradient x input: the slope at the text, times where it stands (Shrikumar, Greenside and Kundaje, 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuneloop.explain.base import Explanation, Question
from tuneloop.explain.gradients import LookingInside, by_unit, captum_attr, forward, unit_of_tokens

if TYPE_CHECKING:
    from tuneloop.tasks.base import ModelHandle


class GradientXInput(LookingInside):
    """The slope of the answer along each token's vector, times that vector: one pass, right only nearby.

    Its sums are held to nothing, so there is no error to state: see how it agrees with the others.
    """

    name = "gradient_x_input"

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        inside = self.opened(model)
        reading = inside.read(question.item)
        answer, ids = forward(inside, model.task, question.target, reading), reading.tensors["input_ids"]
        found = captum_attr().LayerGradientXActivation(answer, inside.embedding).attribute(ids)
        values = by_unit(
            found[0].detach().sum(dim=-1).double().cpu().numpy(),
            unit_of_tokens(reading, question.units),
            len(question.units),
        )
        output = float(question.target.of(model.scores([question.item]))[0])
        return self.explanation(
            question, values, base=None, output=output, error=None, error_kind="unknown", asked=2, absent=""
        )
