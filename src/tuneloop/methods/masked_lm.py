"""Masked language modelling: a model learns from plain texts by guessing tokens that are hidden from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tuneloop.core.options import Options
from tuneloop.data.masking import Marks, hide
from tuneloop.methods.base import GradientMethod, ParameterGroup
from tuneloop.models.device import autocast
from tuneloop.models.forward import reading_batches, to_tensors
from tuneloop.models.masked_lm import guesses

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.methods.base import IntArray
    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Goal

DEV, TRAIN = 0, 1
"""What the masks of each split are drawn from, beside the seed."""


class HiddenTokens:
    """The goal: a row's target is its own number, which its mask is drawn from."""

    selects_by: ClassVar[str] = "log_likelihood"

    def aligned(self, labels: Sequence[Any], tokens: Tokens, inputs: Sequence[Any]) -> np.ndarray[Any, Any]:
        return np.asarray(labels, dtype=np.int64)


class MaskedLanguageModel(GradientMethod):
    """Every weight is trained to guess the hidden tokens: Devlin et al., "BERT" (2019), section 3.1.

    Which tokens are hidden is drawn from the seed, the number of the step and the rows: new ones in each epoch, and
    the same ones after a resume. On dev they are the same in every evaluation.

    Args:
        marks: what the ids of the vocabulary stand for.
        share: of the tokens that are hidden.
        seed: of the run.
    """

    name = "masked_lm"

    def __init__(self, marks: Marks, *, share: float, seed: int) -> None:
        super().__init__(Options())
        self.marks, self.share, self.seed = marks, share, seed
        self._step = 0

    def prepare(self, model: PreTrainedModel) -> None:
        model.requires_grad_(True)

    def parameter_groups(self, model: PreTrainedModel) -> list[ParameterGroup]:
        by_decay = {decay: [each for each in model.parameters() if (each.ndim > 1) == decay] for decay in (True, False)}
        return [ParameterGroup(parameters, decay=decay) for decay, parameters in by_decay.items()]

    def loss(
        self,
        model: PreTrainedModel,
        task: Goal,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        logits, wanted, hidden = self._guess(model, batch, [TRAIN, self._step, *targets.tolist()])
        losses = cross_entropy(logits, wanted, reduction="none")
        spread = losses.new_zeros(hidden.shape).masked_scatter(hidden, losses)
        return spread.sum(dim=1) / hidden.sum(dim=1)

    def figures(self, model: PreTrainedModel, task: Goal, dev: Split, precision: str) -> dict[str, float]:
        """Mean log-likelihood (nats) and accuracy of all guesses."""
        import torch
        from torch.nn.functional import cross_entropy

        model.train(False)
        loss, right, count = 0.0, 0, 0
        for rows in reading_batches(dev.tokens.lengths):
            batch = to_tensors(model, dev.tokens, rows)
            with torch.inference_mode(), autocast(precision, model.device.type):
                logits, wanted, _ = self._guess(model, batch, [DEV, *rows.tolist()])
            loss += float(cross_entropy(logits, wanted, reduction="sum"))
            right += int((logits.argmax(dim=1) == wanted).sum())
            count += len(wanted)
        return {"log_likelihood": -loss / count, "masked_accuracy": right / count}

    def after_step(self, model: PreTrainedModel, step: int) -> None:
        self._step = step + 1

    def state(self) -> dict[str, torch.Tensor]:
        import torch

        return {"step": torch.tensor(self._step)}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        self._step = int(state["step"])

    def _guess(
        self, model: PreTrainedModel, batch: dict[str, torch.Tensor], key: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (hidden tokens, vocabulary), the tokens that are right, and where they are, (texts, tokens)."""
        import torch

        ids = batch["input_ids"]
        seen, where = hide(ids.cpu().numpy(), marks=self.marks, share=self.share, key=[self.seed, *key])
        hidden = torch.from_numpy(where).to(ids.device)
        logits = guesses(model, batch | {"input_ids": torch.from_numpy(seen).to(ids.device)}, hidden)
        return logits, ids[hidden], hidden
