"""How much of the machine's best matrix products encoder training on short texts, and embedding many, make use of.

The other side is the machine itself: matrix products as large as do best, in the same number format, measured in turn
with the work. Operations of the work are those that the texts need; padding and all that is no matrix product count
for nothing, so the ratio is "model FLOPs utilisation". MiniLM's matrices are small, so that what is no product weighs
more; `_base` is the same with an encoder of the size of BERT-base (random weights, MiniLM's tokenizer). What embeds has
read texts enough before to compute in its fastest form: see `inference.many_texts`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.data import Sentiment, unused_texts
from benchmarks.measure import REPETITIONS, alternate, seconds
from benchmarks.release import default_config, kept_encoder
from benchmarks.results import Result, result
from benchmarks.train_vs_recipe import OUR_ROWS
from tuneloop.core.paths import Workspace
from tuneloop.models import roofline
from tuneloop.models.device import choose_device, choose_precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PORTION = 2000
"""Texts that are embedded in one repetition."""

HEAVIER = 4
"""The larger encoder has 12 times the weights in its layers, and gets this part of the texts."""


def run(name: str) -> Result:
    """Operations per second of training or embedding with the named encoder, beside the best of the machine."""
    measured = {
        "train_utilisation": partial(_training, "MiniLM", 1),
        "train_utilisation_base": partial(_training, "an encoder of BERT-base's size", HEAVIER),
        "embed_utilisation": partial(_embedding, "MiniLM", 1),
        "embed_utilisation_base": partial(_embedding, "an encoder of BERT-base's size", HEAVIER),
    }[name]
    ours, what = measured()
    precision = choose_precision("auto", choose_device())
    sides = alternate(ours, lambda _: float(_best(precision)))
    return result(
        name, sides, ours=what, peer=f"the machine's best {precision} matrix products", peer_package="torch",
        unit="FLOP/s", quality={"precision": precision, "machine": roofline.machine()},
    )  # fmt: skip


def _best(precision: str) -> float:
    found = roofline.measure(seconds=1.0, quiet=True).peak(precision)
    assert found is not None
    return found


def _training(kind: str, part: int) -> tuple[Callable[[int], float], str]:
    source = _encoder(part)

    def once(_: int) -> float:
        from tuneloop.training.run import tune

        with TemporaryDirectory() as folder:
            workspace = Workspace(Path(folder))
            roofline.keep(_reference(), workspace.cache)  # a run counts its operations where there is one
            config = default_config(source=source, epochs=1, report_to=[])
            run = tune(config, snapshot=Sentiment(OUR_ROWS // part), workspace=workspace, quiet=True)
            return float(run.info["flops_per_s"])

    return once, f"steps of tuneloop tune, defaults, {kind}, {OUR_ROWS // part} texts"


@cache
def _reference() -> roofline.Roofline:
    return roofline.measure(seconds=0.2, quiet=True)


def _encoder(part: int) -> Path:
    """MiniLM, or the larger one."""
    from tuneloop.models.source import resolve

    return resolve(default_config().model.source) if part == 1 else kept_encoder("encoder-base", _of_base_size)


def _of_base_size(_: Path) -> PreTrainedModel:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return BertModel(BertConfig())


def _embedding(kind: str, part: int) -> tuple[Callable[[int], float], str]:
    from tuneloop.inference.embedder import open_embedder

    source, count = _encoder(part), PORTION // part
    embed, cost = open_embedder(source), _embedding_cost(source)
    portions = [unused_texts(count, number) for number in range(REPETITIONS + 1)]

    def once(number: int) -> float:
        texts = portions[number]
        if number == 0:  # many texts are read before the encoder is exported to what computes them fastest
            embed(texts), embed(texts)
        return float(cost.of(embed.lengths(texts)) / seconds(lambda: embed(texts)))

    return once, f"vectors of {count} texts, from strings, open_embedder of {kind}"


def _embedding_cost(source: Path) -> Any:
    from tuneloop.core.config import TaskConfig
    from tuneloop.models.flops import forward_flops
    from tuneloop.models.load import load_classifier
    from tuneloop.tasks import create_task

    task = create_task(TaskConfig(type="retrieval"), {})
    cost = forward_flops(load_classifier(source, task, pooling="auto"))
    assert cost is not None
    return cost
