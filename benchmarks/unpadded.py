"""Training steps of an encoder on short texts: padded batches of like length against one packed row without padding.

    python -m benchmarks.unpadded [--steps 24] [--precision fp32]

Four ways see the same batches in turn, those of an epoch of `tuneloop tune`: widths rounded up as in training,
exact widths, a packed row whose attention pads texts of like length together, and a packed row whose attention takes
each text alone. All give the same loss. Counted are processor seconds of forward and backward passes, which the work of
others on the machine does not change much. Writes `benchmarks/quality/unpadded.json`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.data import Sentiment
from benchmarks.release import default_config
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json

PATH = QUALITY / "unpadded.json"
ROWS = 2000
WARM_UP = 2
ATTENTION = "benchmark_packed"


def attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None,
    dropout: float = 0.0, parts: Any = None, **given: Any,
) -> tuple[Any, None]:  # fmt: skip
    """Attention of each text of a packed row to itself; `parts`: lengths, and which go together."""
    import torch

    from tuneloop.models.packed import _padded

    lengths, groups = parts
    apart = [torch.split(part[0], lengths, dim=1) for part in (query, key, value)]
    found: list[Any] = [None] * len(lengths)
    for group in groups:
        width = max(lengths[number] for number in group)
        sizes = torch.tensor([lengths[number] for number in group])
        seen = (torch.arange(width)[None] < sizes[:, None])[:, None, None] if sizes.min() < width else None
        together = [_padded([part[number] for number in group], width) for part in apart]
        mixed = torch.nn.functional.scaled_dot_product_attention(*together, seen, scale=scaling)
        for number, text in zip(group, mixed, strict=True):
            found[number] = text[:, : lengths[number]]
    return torch.cat(found, dim=1).transpose(0, 1)[None].contiguous(), None


def ways(model: Any, tokens: Any) -> dict[str, Callable[[Any], Any]]:
    """Name to what gives the loss of some rows: the sum of all that the encoder says of their tokens."""
    import torch

    from tuneloop.models.forward import padded_width
    from tuneloop.models.packed import _alike, pack

    def batch(rows: Any, width: int) -> dict[str, Any]:
        arrays = tokens.batch(rows, width=width)
        return {name: torch.from_numpy(arrays[name]) for name in ("input_ids", "attention_mask")}

    def padded(rows: Any, width: int) -> Any:
        model.set_attn_implementation("sdpa")
        given = batch(rows, width)
        return (model(**given).last_hidden_state * given["attention_mask"][..., None]).sum() / len(rows)

    def packed(rows: Any, grouped: Callable[[list[int]], list[list[int]]]) -> Any:
        model.set_attn_implementation(ATTENTION)
        row = pack(**batch(rows, int(tokens.lengths[rows].max())))
        lengths = [end - start for start, end in pairwise(row["cu_seq_lens_q"].tolist())]
        given = {name: row[name] for name in ("input_ids", "position_ids")}
        return model(**given, parts=(lengths, grouped(lengths))).last_hidden_state.sum() / len(rows)

    return {
        "padded as in training": lambda rows: padded(rows, padded_width(tokens.lengths[rows])),
        "padded": lambda rows: padded(rows, int(tokens.lengths[rows].max())),
        "packed, like lengths together": lambda rows: packed(rows, _alike),
        "packed, each alone": lambda rows: packed(rows, lambda lengths: [[number] for number in range(len(lengths))]),
    }


def measure(steps: int, precision: str) -> dict[str, Any]:
    """Processor seconds of each way, and padding as a share of the tokens."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface, AutoModel

    from tuneloop.models.device import autocast
    from tuneloop.models.source import resolve
    from tuneloop.training.prepare import prepare
    from tuneloop.training.steps import Steps

    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
    config = default_config(report_to=[])
    ready = prepare(config, Sentiment(ROWS))
    tokens, batches = ready.train.tokens, Steps(ready.method, ready.train, config.training, 0).batches(0)
    model = AutoModel.from_pretrained(resolve(config.model.source), add_pooling_layer=False).eval()
    every = ways(model, tokens)
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for number, rows in enumerate(batches[: steps + WARM_UP]):
        losses = []
        for name, loss_of in every.items():
            model.zero_grad(set_to_none=True)
            began_s = time.process_time()
            with autocast(precision, "cpu"):
                loss = loss_of(rows)
            loss.backward()
            if number >= WARM_UP:
                seconds[name].append(time.process_time() - began_s)
            losses.append(float(loss.detach()))
        assert precision == "bf16" or np.allclose(losses, losses[0], rtol=1e-3), losses
    first = sum(next(iter(seconds.values())))
    return {
        name: {"cpu_s": round(sum(each), 2), "against_training": round(sum(each) / first, 3)}
        for name, each in seconds.items()
    } | {"threads": {"cpu_s": torch.get_num_threads(), "against_training": ""}}


def main() -> None:
    """Measure and record."""
    from tuneloop.models.device import choose_precision

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--precision", default=choose_precision("auto", "cpu"), choices=["fp32", "bf16"])
    options = parser.parse_args()
    found = measure(options.steps, options.precision)
    threads = found.pop("threads")["cpu_s"]
    settings = {"steps": options.steps, "precision": options.precision, "threads": threads}
    write_json(PATH, {"settings": settings, "ways": found, "machine": machine()})
    print(found)


if __name__ == "__main__":
    main()
