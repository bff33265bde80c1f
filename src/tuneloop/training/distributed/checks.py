"""What several processes cannot train, and what they must have in common."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import ConfigError, TrainingError
from tuneloop.core.fusion import TEXT_ALONE
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.methods import METHODS, create_method
from tuneloop.methods.auto import Auto
from tuneloop.methods.base import SolvedMethod
from tuneloop.tasks import task_class

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig
    from tuneloop.training.distributed.ranks import Ranks

IN_PIECES = ("full", "lora", "ia3", "bitfit", "adapter")
"""Methods whose weights may be shared out too: they look at none but in the model's own passes."""


def check_parts(config: RunConfig) -> None:
    """Nothing, if the rows of a step may be shared out: the loss of each says nothing of the others.

    Raises:
        ConfigError: saying why not.
    """
    hint = t("Train it with one process: leave out --on and --workers.")
    method = METHODS.get(config.method.type)
    if method is not Auto and issubclass(method, SolvedMethod):
        raise ConfigError(
            t("method {name} is not trained in steps, so there is nothing to share out.", name=method.name), hint
        )
    compares = {
        t("task {name}", name=config.task.type): task_class(config.task).compares_rows,
        t("method {name}", name=config.method.type): method.compares_rows,
        "training.supcon": config.training.supcon > 0,
    }
    for name, does in compares.items():
        if does:
            raise ConfigError(
                t("{name} compares the texts of a step with each other, and each process sees only its own.",
                  name=name), hint
            )  # fmt: skip
    if config.training.shard:
        check_pieces(config)


def check_pieces(config: RunConfig) -> None:
    """Nothing, if each process may have a piece of every weight alone.

    Raises:
        ConfigError: saying why not.
    """
    method = METHODS.get(config.method.type)
    needs = {
        t("method {name}", name=method.name): method is not Auto and method.name not in IN_PIECES,
        "method.base_bits": bool(getattr(create_method(config.method).options, "base_bits", 0)),
        "training.fgm": config.training.fgm > 0,
        "training.optimizer: adamw_8bit": config.training.optimizer == "adamw_8bit",
        "continual": config.continual.used,
        f"modality: {config.modality}": config.modalities != TEXT_ALONE,
    }
    for name, does in needs.items():
        if does:
            raise ConfigError(
                t("{name} needs whole weights, and with training.shard a process has a piece of each.", name=name),
                t("Set training.shard to false. Methods that go with it: {methods}.", methods=", ".join(IN_PIECES)),
            )  # fmt: skip


def check_alike(ranks: Ranks, facts: Any) -> None:
    """Nothing, if the first process has the same plain JSON.

    Raises:
        TrainingError: if not.
    """
    own = hash_json(facts)
    if ranks.told(lambda: own) != own:
        raise TrainingError(
            t("Process {number} on {host} has another configuration, other data or another precision than the first.",
              number=ranks.rank + 1, host=socket.gethostname()),
            t("Start all with the same tuneloop.yaml, data and version, and set training.precision."),
        )  # fmt: skip


def check_seen(ranks: Ranks, path: Path) -> None:
    """Nothing, if this process sees the file that the first one has just written.

    Raises:
        TrainingError: if not.
    """
    if not path.is_file():
        raise TrainingError(
            t("Process {number} on {host} does not see {path}, which the first process has written.",
              number=ranks.rank + 1, host=socket.gethostname(), path=path),
            t("Put the workspace on a disk that all machines share, under the same path: --set workspace=/shared/NAME"),
        )  # fmt: skip
