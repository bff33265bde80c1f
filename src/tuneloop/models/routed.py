"""Several adapters on one frozen model: each text is answered by that of the period it is most like."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuneloop.models.forward import reading_batches, to_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.models.router import Array, Router

UNKNOWN = 10.0
"""How far below its least likely class a period's adapter puts the classes that came after it."""


class Routed(torch.nn.Module):
    """Reads each text twice: without an adapter, to find its period, and with that period's adapter.

    Its vectors, of which drift and abstaining are told, are those by which texts are routed. It has neither one last
    layer nor one embedding layer, so nothing that looks inside a model can look into it.

    Args:
        base: the frozen model.
        periods: what answers in each period, the oldest first; one of them may be `base`.
        router: knows as many periods.
    """

    def __init__(self, base: PreTrainedModel, periods: Sequence[PreTrainedModel], router: Router) -> None:
        super().__init__()
        self.base, self.periods = base, torch.nn.ModuleList(periods)
        self.config = periods[-1].config
        whitening = router.whitening
        self.register_buffer("whitening", torch.from_numpy(whitening).float())
        self.register_buffer("means", torch.from_numpy(router.means @ whitening).float())
        self.register_buffer("owners", torch.from_numpy(router.owners))
        self._read = threading.local()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.means.device  # type: ignore[no-any-return,union-attr]

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor | None = None,
    ) -> object:
        """Logits (batch, classes) of tokens, each (batch, tokens)."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None:
            batch["token_type_ids"] = token_type_ids
        plain = self.base(**batch, output_hidden_states=True)
        self._read.last = mean_state(plain.hidden_states[-1], attention_mask)
        chosen = self.nearest(self._read.last)
        logits = torch.zeros(len(input_ids), self.config.num_labels, device=input_ids.device)
        for number in chosen.unique().tolist():
            rows, model = (chosen == number).nonzero().flatten(), self.periods[number]
            own = {name: value[rows] for name, value in batch.items()}
            answer = plain.logits[rows] if model is self.base else model(**own).logits
            logits[rows] = widened(answer.float(), self.config.num_labels)
        return SequenceClassifierOutput(logits=logits)  # type: ignore[arg-type]

    def nearest(self, vectors: torch.Tensor) -> torch.Tensor:
        """The number of the period of each vector, int64, (batch,); of periods that are equally near the oldest."""
        white = vectors @ self.whitening  # type: ignore[operator]
        return self.owners[torch.cdist(white, self.means).argmin(dim=1)]  # type: ignore[index,arg-type]

    def vectors(self, mask: torch.Tensor) -> torch.Tensor:
        """Those of this thread's last batch, which had this attention mask, float32, (batch, hidden)."""
        found: torch.Tensor = self._read.last
        return found


def mean_state(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the tokens of each text, float32, (batch, hidden); states are (batch, tokens, hidden)."""
    counts = mask.unsqueeze(-1).float()
    return (states.float() * counts).sum(dim=1) / counts.sum(dim=1)


def widened(logits: torch.Tensor, classes: int) -> torch.Tensor:
    """Logits of the first classes as logits of all: those that were not known come last."""
    low = logits.min(dim=1, keepdim=True).values - UNKNOWN
    return torch.cat([logits, low.expand(-1, classes - logits.shape[1])], dim=1)


def base_vectors(base: PreTrainedModel, tokens: Tokens) -> Array:
    """By what texts are routed, float32, (n, hidden)."""
    found = np.zeros((len(tokens), base.config.hidden_size), np.float32)
    for rows in reading_batches(tokens.lengths):
        batch = to_tensors(base, tokens, rows)
        with torch.inference_mode():
            states = base(**batch, output_hidden_states=True).hidden_states[-1]
            found[rows] = mean_state(states, batch["attention_mask"]).cpu().numpy()
    return found
