"""All that a run needs to go on exactly, as safetensors and JSON: no pickle, one atomic folder.

A checkpoint is a folder that appears in one step; the newest one counts and the one before it is
removed only after that. So a kill at any moment leaves a whole checkpoint or the previous one. The
weights that were best on dev are written once, when they are found, beside the checkpoints that name
their step: memory need not hold them, nor every checkpoint repeat them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import TrainingError
from tuneloop.core.fsio import new_dir, remove_dir, sweep, write_json
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.data.batches import DEALING
from tuneloop.training.tensor_file import write_tensors

if TYPE_CHECKING:
    import torch

SUFFIX = ".safetensors"
PLACE = "place.json"


@dataclass
class Place:
    """Where training stands.

    Args:
        step: optimiser steps done.
        best: best dev figure so far; None before the first evaluation.
        best_step: when it was reached.
        stale: evaluations since then.
        metrics_bytes: length of metrics.jsonl at this point; what is beyond is cut on resume.
        finished: no step will follow.
        samples: texts trained on, counted once per pass.
        steps_s: seconds spent in the steps, without evaluations and checkpoints.
        ranks: processes that train together.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    metrics_bytes: int = 0
    finished: bool = False
    samples: int = 0
    steps_s: float = 0.0
    ranks: int = 1

    @property
    def samples_per_s(self) -> float:
        """Training speed over the whole run; 0 before the first step."""
        return self.samples / self.steps_s if self.steps_s else 0.0


PRETRAINED = "pretrained"
"""In a fingerprint: the hash of the model that was started from."""


def save(folder: Path, *, place: Place, tensors: dict[str, torch.Tensor], fingerprint: dict[str, Any]) -> Path:
    """Write a checkpoint of this place and then remove what only older ones needed.

    Args:
        folder: the run's `checkpoints/`.
        place: where training stands; its best weights have been saved.
        tensors: model, average and optimiser state, by name.
        fingerprint: what the checkpoint is bound to; another config cannot resume it.
    """
    import torch

    older = [*_numbered(folder), *folder.glob("best-*")]
    target = folder / f"step-{place.step:08d}"
    with new_dir(target) as staging:
        random = {"torch": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        write_tensors(staging / f"random{SUFFIX}", {f"random.{name}": each for name, each in random.items()})
        write_tensors(staging / f"state{SUFFIX}", tensors)
        write_json(staging / PLACE, {"place": asdict(place), "fingerprint": hash_json(fingerprint)})
    for path in older:
        if path != _best(folder, place.best_step):
            remove_dir(path)
    return target


def save_best(folder: Path, *, step: int, tensors: dict[str, torch.Tensor]) -> None:
    """Keep these weights as the best so far, found at `step`; those before stay until the next checkpoint."""
    target = _best(folder, step)
    if target.exists():  # by a process that was killed before its checkpoint: the same weights
        remove_dir(target)
    with new_dir(target) as staging:
        write_tensors(staging / f"model{SUFFIX}", tensors)


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint in a run's `checkpoints/`, after removing what a kill left over."""
    if not folder.is_dir():
        return None
    sweep(folder)
    found = _numbered(folder)
    return found[-1] if found else None


def load(path: Path, *, fingerprint: dict[str, Any]) -> tuple[Place, dict[str, torch.Tensor]]:
    """The place and tensors of a checkpoint; torch's random state is restored.

    Raises:
        TrainingError: if it is damaged, or was written by a run with another configuration or data.
    """
    import torch
    from safetensors.torch import load_file

    with _readable(path):
        plain = json.loads((path / PLACE).read_text(encoding="utf-8"))
        tensors = {name: each for file in sorted(path.glob(f"*{SUFFIX}")) for name, each in load_file(file).items()}
        place = Place(**plain["place"])
    known = plain.get("fingerprint")
    older = _without(PRETRAINED, fingerprint)  # of a version that did not look at it
    if any(known == hash_json(_without(DEALING, each)) for each in (fingerprint, older) if DEALING in each):
        raise TrainingError(
            t("The checkpoint {path} is of an earlier version, which dealt the texts into other batches.", path=path),
            t("Such a run cannot be gone on with: start it again, without --resume."),
        )
    if known not in (hash_json(fingerprint), hash_json(older)):
        raise TrainingError(
            t("The checkpoint {path} belongs to another configuration or other data.", path=path),
            t("Resume with the config.yaml in the run's folder, or start a new run without --resume."),
        )
    torch.set_rng_state(tensors.pop("random.torch"))
    if (state := tensors.pop("random.cuda", None)) is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state)
    return place, tensors


def _without(name: str, fingerprint: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in fingerprint.items() if key != name}


def load_best(folder: Path, *, step: int) -> dict[str, torch.Tensor]:
    """The weights that `save_best` kept at `step`.

    Raises:
        TrainingError: if they are damaged or gone.
    """
    from safetensors.torch import load_file

    path = _best(folder, step)
    with _readable(path):
        return dict(load_file(path / f"model{SUFFIX}"))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise TrainingError(
            t("The checkpoint {path} cannot be read: {reason}", path=path, reason=str(error).split("\n")[0]),
            t("Start a new run; the rest of the workspace is unharmed."),
        ) from error


def _best(folder: Path, step: int) -> Path:
    return folder / f"best-{step:08d}"


def _numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []
