"""Operations that a model needs for a text, counted from real passes: what utilisation is a share of.

A transformer needs a constant, a share for each token and one for each pair of tokens, so a few passes over texts of
different lengths tell it exactly. Padding, layers that are computed again and passes beside the model (a teacher,
a second pass of r_drop or FGM) are not counted: as in "model FLOPs utilisation", Chowdhery et al., "PaLM: Scaling
Language Modeling with Pathways" (2022), appendix B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.models.forward import input_names, positions, reads_one_sequence, virtual_tokens

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import PreTrainedModel

    IntArray = np.ndarray[Any, np.dtype[Any]]

LONGEST = 32
"""Tokens of the longest text that a model is asked for, if it has places for so many; others have a half, a quarter."""


@dataclass(frozen=True)
class Flops:
    """Floating-point operations for a text of n tokens: per_text + per_token n + per_pair n².

    A multiplication and an addition are two.
    """

    per_text: float
    per_token: float
    per_pair: float

    def of(self, lengths: Any) -> float:
        """Operations for texts of these lengths in tokens, together."""
        lengths = np.asarray(lengths, dtype=np.float64)
        return float(
            self.per_text * lengths.size + self.per_token * lengths.sum() + self.per_pair * np.square(lengths).sum()
        )

    def to_json(self) -> dict[str, float]:
        """For run.json and release.json."""
        return asdict(self)


def from_json(found: Mapping[str, float] | None) -> Flops | None:
    """What `to_json` wrote; None of nothing."""
    return Flops(**found) if found else None


def spread(lengths: IntArray) -> list[int]:
    """A short, a middling and a long text, to count: their rows, fewer where lengths repeat."""
    order = np.argsort(lengths, kind="stable")
    chosen = [int(order[place]) for place in (0, len(order) // 2, len(order) - 1)]
    return list({int(lengths[row]): row for row in chosen}.values())


def fitted(counts: Iterable[tuple[int, int]]) -> Flops:
    """The operations that agree with what was counted.

    Args:
        counts: length and operations of each text; three lengths tell all, fewer leave out the pairs.
    """
    lengths, found = np.array(sorted(dict(counts).items()), dtype=np.float64).T
    powers = min(len(lengths), 3)
    terms = np.linalg.lstsq(lengths[:, None] ** np.arange(powers), found, rcond=None)[0]
    return Flops(*(round(float(each), 3) for each in [*terms, 0.0, 0.0][:3]))


def forward_flops(model: PreTrainedModel) -> Flops | None:
    """Operations of answering a text; None of a model that reads more than its tokens, as one sequence."""
    import torch

    if not reads_one_sequence(model) or virtual_tokens(model):
        return None

    def passed(tokens: int) -> Callable[[], Any]:
        ids = torch.arange(tokens, device=model.device)[None] % model.config.vocab_size
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        batch = {name: given[name] for name in input_names(model)}
        return lambda: model(**batch)

    longest = min(LONGEST, positions(model) or LONGEST)
    if longest < 4:
        return None
    training = model.training
    model.eval()
    try:
        with torch.enable_grad():  # the counter follows gradients from module to module
            return fitted((tokens, counted(passed(tokens))) for tokens in (longest // 4, longest // 2, longest))
    except RuntimeError:  # shapes that do not fit: it puts learnt vectors before a text, for which it has no places
        return None
    finally:
        model.train(training)


def counted(compute: Callable[[], Any]) -> int:
    """Operations of the matrix products and the attention in what is computed."""
    with _counter() as counter:
        compute()
    return int(counter.get_total_flops())


def _counter() -> FlopCounterMode:
    """A counter that knows the attention of the CPU, too."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

    def forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return sdpa_flop_count(query, key, value)

    def backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return sdpa_backward_flop_count(gradient, query, key, value)

    operations = torch.ops.aten
    return FlopCounterMode(
        display=False,
        custom_mapping={
            operations._scaled_dot_product_flash_attention_for_cpu: forward,
            operations._scaled_dot_product_flash_attention_for_cpu_backward: backward,
        },
    )
