"""Integrated gradients (Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tuneloop.explain.base import ExplainerOptions, Explanation, Question
from tuneloop.explain.gradients import LookingInside, by_unit, captum_attr, forward, unit_of_tokens
from tuneloop.inference.inside import Inside, Reading

if TYPE_CHECKING:
    import numpy as np

    from tuneloop.tasks.base import ModelHandle

BATCH = 32
"""Steps that are computed side by side."""


class IntegratedGradientsOptions(ExplainerOptions):
    """Options of integrated gradients."""

    steps: int = Field(32, ge=4, le=1024, description="Points on the way from the blank text to the text, at first.")
    most_steps: int = Field(
        512, ge=4, le=4096, description="Points at most; they are doubled while the gap is too wide."
    )
    gap: float = Field(0.02, gt=0, le=1, description="Share of the answers' difference that the attributions may miss.")


class IntegratedGradients(LookingInside):
    """The slope of the answer, summed on the way from a text of blank tokens to the text.

    A blank is the tokenizer's mask, else its token for unknown words. The values of all tokens should add up to the
    difference of the answers; by how much they do not is the stated error.
    """

    name = "integrated_gradients"
    Options = IntegratedGradientsOptions
    options: IntegratedGradientsOptions

    def attribute(self, model: ModelHandle, question: Question, *, seed: int) -> Explanation:
        inside = self.opened(model)
        reading = inside.read(question.item)
        owners = unit_of_tokens(reading, question.units)
        base, output, values, asked = self._integrate(inside, model, question, reading, owners)
        return self.explanation(
            question, by_unit(values, owners, len(question.units)), base=base, output=output,
            error=abs(output - base - float(values.sum())), error_kind="gap", asked=asked, absent="blank tokens",
        )  # fmt: skip

    def _integrate(
        self, inside: Inside, model: ModelHandle, question: Question, reading: Reading, owners: np.ndarray[Any, Any]
    ) -> tuple[float, float, np.ndarray[Any, Any], int]:
        """The answers to the blank text and to the text, the tokens' values (tokens,), and the passes it took."""
        import torch

        answer, ids = forward(inside, model.task, question.target, reading), reading.tensors["input_ids"]
        blank = torch.where(torch.from_numpy(owners >= 0).to(ids.device), inside.blank_id, ids)
        with torch.no_grad():
            base, output = float(answer(blank)), float(answer(ids))
        method = captum_attr().LayerIntegratedGradients(answer, inside.embedding)
        steps, asked = self.options.steps, 2
        while True:
            found = method.attribute(ids, baselines=blank, n_steps=steps, internal_batch_size=BATCH)
            values = found[0].detach().sum(dim=-1).double().cpu().numpy()
            asked += steps
            narrow = abs(output - base - values.sum()) <= self.options.gap * abs(output - base)
            if narrow or 2 * steps > self.options.most_steps:
                return base, output, values, asked
            steps *= 2
