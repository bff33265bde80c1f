"""`method: auto` becomes a method, once, before a run starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.core.config import MethodConfig, RunConfig
from tuneloop.core.fusion import TEXT_ALONE
from tuneloop.methods import create_method
from tuneloop.methods.auto import Auto, Case, choose
from tuneloop.models.device import choose_device, memory_bytes
from tuneloop.models.fusing import pretrained
from tuneloop.models.source import count_weights
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from tuneloop.training.prepare import Snapshot


def settle(
    config: RunConfig, snapshot: Snapshot, *, base: Path | None = None, earlier: MethodConfig | None = None
) -> tuple[RunConfig, str]:
    """The configuration with the method that `auto` stands for, and why; any other comes back as it is.

    Args:
        base: the folder that a relative model.source starts from.
        earlier: the method of the run that goes on: what was chosen once stays chosen, also on another machine.

    Raises:
        ConfigError: if no method can be trained.
        ModelError: if the model cannot be found.
    """
    if config.method.type != Auto.name:
        return config, ""
    create_method(config.method)  # it has no options
    if earlier is not None and earlier.asked == Auto.name:
        return config.model_copy(update={"method": earlier}), ""
    case = Case(
        task=create_task(config.task, {"labels": list(snapshot.labels)}),
        labelled=len(snapshot.split("train").labels),
        parameters=sum(map(count_weights, pretrained(config, base))),
        memory_bytes=memory_bytes(choose_device()),
        texts_alone=config.modalities == TEXT_ALONE,
    )
    name, why = choose(case)
    return config.model_copy(update={"method": MethodConfig(type=name, asked="auto")}), why
