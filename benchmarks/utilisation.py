"""How much of the machine's best matrix products encoder training on short texts, and embedding many, make use of.

The other side is the machine itself: matrix products as large as do best, in the same number format, measured in turn
with the work. Operations of the work are those that the texts need; padding and all that is no matrix product count
for nothing, so the ratio is "model FLOPs utilisation".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.data import Sentiment, unused_texts
from benchmarks.measure import REPETITIONS, alternate, seconds
from benchmarks.release import default_config
from benchmarks.results import Result, result
from benchmarks.train_vs_recipe import OUR_ROWS
from tuneloop.core.paths import Workspace
from tuneloop.models import roofline
from tuneloop.models.device import choose_device, choose_precision

PORTION = 2000
"""Texts that are embedded in one repetition."""


def run(name: str) -> Result:
    """Operations per second of `train_utilisation` or `embed_utilisation`, beside the best of the machine."""
    ours, what = {"train_utilisation": _training, "embed_utilisation": _embedding}[name]()
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


def _training() -> tuple[Callable[[int], float], str]:
    def once(_: int) -> float:
        from tuneloop.training.run import tune

        with TemporaryDirectory() as folder:
            workspace = Workspace(Path(folder))
            roofline.keep(_reference(), workspace.cache)  # a run counts its operations where there is one
            config = default_config(epochs=1, report_to=[])
            run = tune(config, snapshot=Sentiment(OUR_ROWS), workspace=workspace, quiet=True)
            return float(run.info["flops_per_s"])

    return once, f"steps of tuneloop tune, defaults, {OUR_ROWS} texts"


@cache
def _reference() -> roofline.Roofline:
    return roofline.measure(seconds=0.2, quiet=True)


def _embedding() -> tuple[Callable[[int], float], str]:
    from tuneloop.inference.embedder import open_embedder
    from tuneloop.models.source import resolve

    embed = open_embedder(resolve(default_config().model.source))
    cost = _embedding_cost()
    portions = [unused_texts(PORTION, number) for number in range(REPETITIONS + 1)]

    def once(number: int) -> float:
        texts = portions[number]
        return cost.of(embed.lengths(texts)) / seconds(lambda: embed(texts))

    return once, f"vectors of {PORTION} texts, from strings, open_embedder of MiniLM"


def _embedding_cost() -> Any:
    from tuneloop.core.config import TaskConfig
    from tuneloop.models.flops import forward_flops
    from tuneloop.models.load import load_classifier
    from tuneloop.models.source import resolve
    from tuneloop.tasks import create_task

    task = create_task(TaskConfig(type="retrieval"), {})
    cost = forward_flops(load_classifier(resolve(default_config().model.source), task, pooling="auto"))
    assert cost is not None
    return cost
