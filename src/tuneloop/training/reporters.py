"""The curves once more for TensorBoard and Weights & Biases; metrics.jsonl stays the truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from tuneloop.core.errors import MissingExtraError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Reporter(Protocol):
    """Shows the figures of a run somewhere."""

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Show what was measured at this step."""

    def flush(self) -> None:
        """Put everything on the disk."""

    def close(self) -> None:
        """Flush, and say that the run is over."""


def open_reporters(names: Iterable[str], folder: Path, *, done: int) -> list[Reporter]:
    """The reporters of a run.

    Args:
        names: tensorboard, wandb.
        folder: the run's folder; its name is the name of the run.
        done: steps in the checkpoint that the run goes on from; what was shown beyond is shown again.

    Raises:
        MissingExtraError: if wandb is not installed.
    """
    kinds: dict[str, type[TensorBoard] | type[Wandb]] = {"tensorboard": TensorBoard, "wandb": Wandb}
    return [kinds[name](folder, done) for name in names]


class TensorBoard:
    """Event files in the run's `tensorboard/`; a resumed run tells TensorBoard to forget the later steps."""

    def __init__(self, folder: Path, done: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: SummaryWriter = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)

    def write(self, step: int, figures: dict[str, float]) -> None:
        for name, figure in figures.items():
            self._writer.add_scalar(_tag(name), figure, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """A W&B run with the run's name as its id, so that a resumed one goes on in the same place.

    Everything else is W&B's own business: WANDB_MODE=offline, WANDB_PROJECT, WANDB_API_KEY.
    Steps that a resumed run does again have the same figures; W&B keeps the first.
    """

    def __init__(self, folder: Path, done: int) -> None:
        try:
            import wandb
        except ImportError:
            raise MissingExtraError("wandb", "wandb") from None
        path = folder / "config.yaml"
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self._run = wandb.init(
            dir=str(folder),
            id=folder.name,
            name=folder.name,
            resume="allow",
            config=config,
            settings=wandb.Settings(console="off", silent=True),
        )

    def write(self, step: int, figures: dict[str, float]) -> None:
        self._run.log({_tag(name): figure for name, figure in figures.items()}, step=step)

    def flush(self) -> None:
        pass  # W&B's own process writes as it goes

    def close(self) -> None:
        self._run.finish()


def _tag(name: str) -> str:
    """dev/macro_f1 for dev_macro_f1, train/loss for loss: one group of curves each."""
    return f"dev/{name.removeprefix('dev_')}" if name.startswith("dev_") else f"train/{name}"
