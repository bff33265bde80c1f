"""Many adapters on one base, answered together: each text of a batch passes through the adapter it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.abstaining.folder import FOLDER as ABSTAINING
from tuneloop.core.config import MethodConfig, TaskConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.batches import inference_batches
from tuneloop.data.clean import clean_inputs
from tuneloop.data.tokens import Tokens
from tuneloop.inference.opening import open_model, open_tokenizer, read_settings
from tuneloop.inference.rows import Rows, put_in_rows
from tuneloop.knowledge.attach import FOLDER as KNOWLEDGE
from tuneloop.methods import create_method
from tuneloop.models.forward import input_names
from tuneloop.models.load import APART
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from torch import Tensor

    from tuneloop.data.examples import Input
    from tuneloop.tasks.base import FloatArray, Prediction, Task

MAX_BATCH_TOKENS = 4096

BEYOND = (KNOWLEDGE, ABSTAINING)
"""Folders with which there is more to an answer than logits."""


@dataclass(frozen=True)
class Adapter:
    """One of many: how its texts become tokens and its logits answers.

    Args:
        number: its place among the stacked weights.
        task: what turns logits into answers.
        tokenizer: what turns texts into tokens; one object for all that read alike.
        clean: how texts are mended first.
    """

    number: int
    task: Task
    tokenizer: Tokenizer
    clean: CleanConfig


class ManyAdapters:
    """LoRA adapters that were kept apart from one pretrained model, which is held once.

    A batch may hold texts of any of them. For the linear layers that they adapt, each text has its own two thin
    matrices, gathered from the stack of all and applied as batched products; and so for the head (Chen et al., "Punica:
    Multi-Tenant LoRA Serving", 2023; Sheng et al., "S-LoRA", 2023). Answers are those of each adapter's own model but
    for the rounding of float32.

    Args:
        folders: model folders by the name that texts ask for.
        max_batch_tokens: padded tokens in one forward pass at most.

    Raises:
        ConfigError: if there is none, or one is no such adapter.
        ModelError: if they do not stand on the same pretrained model, or a file is damaged.
    """

    def __init__(self, folders: Mapping[str, Path], *, max_batch_tokens: int = MAX_BATCH_TOKENS) -> None:
        import torch

        if not folders:
            raise ConfigError(t("There is no adapter to open."), t("Name releases that keep their adapter apart."))
        settings = {name: _settings(folder) for name, folder in folders.items()}
        _check_one_base(folders)
        first = next(iter(folders))
        model = open_model(folders[first], dtype=torch.float32)
        model.config.return_dict = True
        self._rows, self._max_batch_tokens = Rows(), max_batch_tokens
        learnt = [_learnt(folder, settings[name]) for name, folder in folders.items()]
        self.model = put_in_rows(model, learnt, self._rows)
        self._inputs = input_names(model)
        known: dict[Any, Tokenizer] = {}
        self.adapters = {
            name: _adapter(number, folders[name], each, known) for number, (name, each) in enumerate(settings.items())
        }

    def predict(self, asked: Sequence[tuple[str, Input]]) -> list[Prediction]:
        """One prediction for each (name of an adapter, input), in order.

        Raises:
            ConfigError: if there is no adapter of a name.
        """
        found: list[Prediction | None] = [None] * len(asked)
        for places, adapter, scores, cut in self._answers(asked):
            for place, each in zip(places, adapter.task.predictions(scores, cut.tolist()), strict=True):
                found[place] = each
        return found  # type: ignore[return-value]

    def scores(self, name: str, inputs: Sequence[Input]) -> FloatArray:
        """What the task of one adapter decides by, in the order of `inputs`."""
        if not len(inputs):
            return np.zeros((0, self._named(name).task.outputs), np.float32)
        ((_, _, scores, _),) = self._answers([(name, item) for item in inputs])
        return scores

    def _answers(self, asked: Sequence[tuple[str, Input]]) -> list[tuple[list[int], Adapter, FloatArray, Any]]:
        """For each adapter that is asked: places among `asked`, itself, scores, and whether each text was cut."""
        if not asked:
            return []
        adapters = [self._named(name) for name, _ in asked]
        tokens, order = self._encode(adapters, [item for _, item in asked])
        logits = self._logits(tokens, np.array([adapters[place].number for place in order]))
        rows: dict[str, list[int]] = {}
        for row, place in enumerate(order):
            rows.setdefault(asked[place][0], []).append(row)
        found = []
        for name, own in rows.items():
            adapter, places = self.adapters[name], [order[row] for row in own]
            inputs = [asked[place][1] for place in places]
            scores = adapter.task.answers(logits[own, : adapter.task.outputs], tokens.select(own), inputs)
            found.append((places, adapter, scores, tokens.truncated[own]))
        return found

    def _encode(self, adapters: list[Adapter], inputs: list[Input]) -> tuple[Tokens, list[int]]:
        """The tokens of all inputs, those that are read alike together, and the place of each."""
        alike: dict[tuple[int, str], list[int]] = {}
        for place, adapter in enumerate(adapters):
            alike.setdefault((id(adapter.tokenizer), adapter.clean.model_dump_json()), []).append(place)
        tokens: Tokens | None = None
        for places in alike.values():
            adapter = adapters[places[0]]
            some = adapter.tokenizer.encode(clean_inputs([inputs[place] for place in places], adapter.clean))
            tokens = some if tokens is None else tokens.followed_by(some)
        assert tokens is not None
        return tokens, [place for places in alike.values() for place in places]

    def _logits(self, tokens: Tokens, numbers: Any) -> FloatArray:
        """Logits of each text through its adapter, (n, outputs of the widest)."""
        import torch

        logits: FloatArray | None = None
        for rows in inference_batches(tokens.sizes, max_tokens=self._max_batch_tokens):
            batch = tokens.batch(rows)
            tensors: dict[str, Tensor] = {name: torch.from_numpy(batch[name]) for name in self._inputs if name in batch}
            with torch.inference_mode(), self._rows.of(torch.from_numpy(numbers[rows])):
                found = self.model(**tensors).logits.numpy()
            logits = np.zeros((len(tokens), found.shape[1]), np.float32) if logits is None else logits
            logits[rows] = found
        assert logits is not None
        return logits

    def _named(self, name: str) -> Adapter:
        if name not in self.adapters:
            raise ConfigError(
                t("There is no adapter called {name!r}.", name=name),
                t("Choose one of: {known}.", known=", ".join(self.adapters)),
            )
        return self.adapters[name]


def _settings(folder: Path) -> dict[str, Any]:
    """What tuneloop.json says of an adapter that others can be computed with.

    Raises:
        ConfigError: if it is none.
    """
    settings = read_settings(folder)
    method = settings.get("method") or {}
    plain = method.get("type") == "lora" and not method.get("dora") and not method.get("base_bits")
    if not settings.get("apart") or not plain or settings.get("periods"):
        raise ConfigError(
            t("{folder} is no plain LoRA beside its pretrained model.", folder=folder),
            t("Tune it with method.type: lora and method.keep: apart."),
        )
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    if task.layout != "whole" or task.embeds or any((folder / each).exists() for each in BEYOND):
        raise ConfigError(
            t("{folder} needs more for an answer than one forward pass of one text.", folder=folder),
            t("Open it alone; many at once are classes or numbers of whole texts, without rules and abstaining."),
        )
    return settings


def _check_one_base(folders: Mapping[str, Path]) -> None:
    """Nothing, if all stand on the same weights."""
    hashes = {
        name: tuple(hash_file(file) for file in sorted((folder / "base").glob("*.safetensors")))
        for name, folder in folders.items()
    }
    first = next(iter(hashes))
    for name, found in hashes.items():
        if found != hashes[first]:
            raise ModelError(
                t("{name} stands on another pretrained model than {other}.", name=name, other=first),
                t("Open those together that were tuned from the same model.source."),
            )


def _learnt(folder: Path, settings: dict[str, Any]) -> tuple[dict[str, Tensor], float]:
    """The weights that an adapter has learnt by their names in the model, and how much its product counts."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    options: Any = create_method(MethodConfig(**settings["method"])).options
    try:
        weights = load_file(folder / APART)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=folder / APART, error=error),
            t("Open a folder that tuneloop has written: a run's model/ or a release."),
        ) from error
    return weights, options.alpha / options.rank


def _adapter(number: int, folder: Path, settings: dict[str, Any], known: dict[Any, Tokenizer]) -> Adapter:
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    key = (hash_file(folder / "tokenizer.json"), int(settings["max_tokens"]), task.name, settings.get("template", ""))
    if key not in known:
        known[key] = open_tokenizer(folder, task, settings)
    return Adapter(number, task, known[key], CleanConfig(**settings["clean"]))
