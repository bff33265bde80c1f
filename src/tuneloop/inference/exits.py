"""Early exit: a text that the model is sure of after a few layers leaves there, and the others go on.

Xin et al., "DeeBERT: Dynamic Early Exiting for Accelerating BERT Inference" (2020): heads are put on a model that is
tuned and stays as it is. Each is one linear layer that reads the mean of a layer's states.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.abstaining.settings import suits
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.fsio import new_file, write_json
from tuneloop.core.i18n import t
from tuneloop.inference.cascade import margins
from tuneloop.inference.engine import EXITS, Batch
from tuneloop.inference.torch_engine import FloatArray, TorchEngine
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.stages import Stages, check_layers, following, token_means

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.core.deployment import ReleaseConfig
    from tuneloop.tasks.base import Task

ABOUT, HEADS = "exits.json", "exits.safetensors"
"""In a model folder: layers and threshold, and the heads. Every other engine leaves both alone."""

VERSION = 2
"""Of `exits.json`; in the first one the threshold was one of the largest probability."""


@dataclass(frozen=True)
class Exits:
    """Where texts may leave, and from what sureness on.

    Args:
        layers: behind which there is a head, from 1, ascending.
        threshold: the margin (see `margins`) from which a head's answer counts; the same at every exit.
        weights: of each head, (classes, hidden), calibrated.
        biases: of each head, (classes,).
    """

    layers: tuple[int, ...]
    threshold: float
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]

    def logits(self, number: int, means: FloatArray) -> FloatArray:
        """What head `number`, from 0, says of mean states, (n, hidden): (n, classes)."""
        found: FloatArray = means @ self.weights[number].T + self.biases[number]
        return found

    def every(self, means: FloatArray) -> list[FloatArray]:
        """What each head says of its mean states, (layers, n, hidden): (n, classes) of each."""
        return [self.logits(number, each) for number, each in enumerate(means)]

    def keep(self, folder: Path) -> None:
        """Write them into a model folder."""
        from safetensors.numpy import save_file

        tensors = {f"{layer}.weight": each for layer, each in zip(self.layers, self.weights, strict=True)}
        tensors |= {f"{layer}.bias": each for layer, each in zip(self.layers, self.biases, strict=True)}
        with new_file(folder / HEADS) as path:
            save_file(tensors, path)
        write_json(folder / ABOUT, {"version": VERSION, "layers": list(self.layers), "threshold": self.threshold})


def exit_files(folder: Path) -> list[Path]:
    """The files that make a model folder's exits; none where it has none."""
    return [folder / name for name in (ABOUT, HEADS) if (folder / name).is_file()]


def read_exits(folder: Path) -> Exits:
    """The exits in a model folder.

    Raises:
        ModelError: if there are none, or they are damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / ABOUT
    try:
        about, tensors = json.loads(path.read_text(encoding="utf-8")), load_file(folder / HEADS)
        if about["version"] != VERSION:
            raise ValueError(f"version {about['version']}")
        layers = tuple(map(int, about["layers"]))
        weights, biases = (tuple(tensors[f"{layer}.{part}"] for layer in layers) for part in ("weight", "bias"))
        return Exits(layers, float(about["threshold"]), weights, biases)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=path, error=error),
            t("Take another engine, or set release.exits.layers and release the run again."),
        ) from None


def check_exits(config: ReleaseConfig, task: Task, model: PreTrainedModel, *, rules: str | None = None) -> None:
    """Nothing, if `release.exits` makes sense for a task and a model.

    Args:
        rules: a file of rules that answers keep to.

    Raises:
        ConfigError: saying why it does not.
    """
    if not config.exits.layers:
        return
    if not suits(task):
        raise ConfigError(
            t("release.exits does not go with the task {task}.", task=task.name),
            t("It is for tasks whose answer is one class: classification and pair."),
        )
    if config.abstain.used or rules:
        raise ConfigError(
            t("release.exits does not go with release.abstain or knowledge.rules yet."),
            t("Leave release.exits.layers out, or the other."),
        )
    check_layers(model, config.exits.layers)


class ExitsEngine(TorchEngine):
    """Logits from torch, of each text by the first exit that is sure enough, else by the whole model, in fp32.

    Raises:
        ModelError: if the folder cannot be loaded, or has no exits.
    """

    has_vectors = False
    """The last layer receives nothing of the texts that have left before."""

    def __init__(self, folder: Path, name: str = EXITS) -> None:
        import torch

        super().__init__(folder, name)
        read_first_token_only(self.model)
        exits = read_exits(folder)
        self._threshold, device = exits.threshold, self.model.device
        self._heads = [
            (torch.from_numpy(weight).to(device), torch.from_numpy(bias).to(device))
            for weight, bias in zip(exits.weights, exits.biases, strict=True)
        ]
        self._stages = Stages(self.model, exits.layers)

    def _logits(self, batch: Batch) -> FloatArray:
        import torch

        with torch.inference_mode():
            found: FloatArray = self._by_first_sure(self.tensors(batch)).float().cpu().numpy()
        return found

    def _by_first_sure(self, given: dict[str, Any]) -> torch.Tensor:
        import torch

        mask = given["attention_mask"]
        going = torch.arange(len(mask), device=mask.device)
        logits = torch.zeros(len(mask), len(self._heads[0][0]), device=mask.device)
        for number, head in enumerate(self._heads):
            states = self._stages.states(number, given)
            answers = torch.nn.functional.linear(token_means(states, mask), *head)
            sure = margins(answers.softmax(dim=1).cpu().numpy())
            stays = torch.from_numpy(sure < self._threshold).to(mask.device)
            if not stays.all():
                logits[going[~stays]] = answers[~stays]
                going, states, mask = going[stays], states[stays], mask[stays]
            if not len(going):
                return logits
            given = following(states, mask)
        logits[going] = self._stages.logits(given)
        return logits
