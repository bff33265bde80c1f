"""The frozen encoders of a fused model in training: what they say of a row is the same in every epoch, and is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.models.device import autocast
from tuneloop.models.features import tokens_hash, weights_hash
from tuneloop.models.forward import reading_batches, to_tensors
from tuneloop.models.fused import width_of
from tuneloop.models.states import States, make_room, open_states, size_bytes, with_states, write_states

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.models.item_tokenizer import Beside

    IntArray = np.ndarray[Any, np.dtype[Any]]

KEPT = ("text", "image")
"""Encoders whose states are kept: what is said of sound hangs on how far a batch is padded."""


class FrozenEncoders:
    """What `models.frozen.FrozenPrefix` is for a fused model: nothing where no encoder is frozen as a whole."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model: Any = model
        encoders = {name: getattr(model.encoders, name) for name in model.config.modalities if name != "tabular"}
        self._frozen = {
            name: encoder
            for name, encoder in encoders.items()
            if not any(weight.requires_grad for weight in encoder.parameters())
        }
        self._states: dict[str, tuple[States, IntArray]] = {}

    def eval(self) -> None:
        """Put them into evaluation mode, whatever mode the rest of the model is in."""
        for encoder in self._frozen.values():
            encoder.eval()

    def size_bytes(self, tokens: Tokens) -> int:
        """What keeping the states of these rows takes; 0 where there are none that could be kept."""
        return sum(size_bytes(int(self._offsets(name, tokens)[-1]), self._width(name)) for name in self._kept)

    def keep(self, tokens: Tokens, precision: str, *, folder: Path, limit_bytes: int, quiet: bool = False) -> None:
        """Take the states of these rows from files in `folder`: of an earlier run, or made now.

        Raises:
            StorageError: if the disk refuses.
        """
        for name in self._kept:
            path, offsets = folder / f"{self._key(name, tokens, precision)}.bf16", self._offsets(name, tokens)
            found = open_states(path, offsets, self._width(name))
            if found is None:
                needed = size_bytes(int(offsets[-1]), self._width(name))
                make_room(folder, needed, limit_bytes=limit_bytes)
                write_states(path, offsets, self._compute(name, tokens, precision, quiet))
                found = open_states(path, offsets, self._width(name))
            if found is not None:
                self._states[name] = found, np.diff(offsets)

    def loss(self, loss: Any) -> Any:
        """A method's loss (`GradientMethod.loss`) in which the kept states stand in, for the rows that it is given."""
        return with_states(loss, lambda rows, _: self.standing_in(rows))

    @contextmanager
    def standing_in(self, rows: IntArray) -> Iterator[None]:
        """Inside the block the kept states answer for the frozen encoders, and what they compute is rounded alike."""
        import torch

        weight = self._model.classifier.weight
        for name, (states, lengths) in self._states.items():
            width = max(1, int(lengths[rows].max(initial=0)))
            mask = torch.from_numpy(np.arange(width) < lengths[rows][:, None])
            self._model.kept[name] = states.read(rows, width).to(weight.device, weight.dtype), mask.to(weight.device)
        self._model.rounded = frozenset(self._kept)
        try:
            yield
        finally:
            self._model.kept, self._model.rounded = {}, frozenset()

    def __enter__(self) -> FrozenEncoders:
        return self

    def __exit__(self, *_: object) -> None:
        for states, _ in self._states.values():
            states.close()

    @property
    def _kept(self) -> list[str]:
        return [name for name in KEPT if name in self._frozen]

    def _width(self, name: str) -> int:
        return width_of(self._model.config.encoders[name])

    def _offsets(self, name: str, tokens: Tokens) -> IntArray:
        """Where the states of each row begin, and the end; a row without the modality has none."""
        there = cast("Beside", tokens.beside)
        present = np.array([name in row for row in there.rows], dtype=bool)
        lengths = tokens.lengths if name == "text" else np.full(len(tokens), there.reader.tokens[name])
        return np.concatenate([[0], np.cumsum(lengths * present)]).astype(np.int64)

    def _key(self, name: str, tokens: Tokens, precision: str) -> str:
        weights = [(f"{name}.{key}", weight) for key, weight in self._frozen[name].state_dict().items()]
        there = cast("Beside", tokens.beside)
        rows = [row.get(name, "") for row in there.rows]
        parts = [weights_hash(self._model, weights), tokens_hash(tokens), rows, there.reader.identity, precision]
        return hash_json([*parts, self._model.device.type])

    def _compute(
        self, name: str, tokens: Tokens, precision: str, quiet: bool
    ) -> Iterator[tuple[IntArray, torch.Tensor]]:
        """Rows and their states, in batches of rows of like size; those without the modality have zeros."""
        import torch

        model, batches, there = self._model, reading_batches(tokens.sizes), cast("Beside", tokens.beside)
        tokens = replace(tokens, beside=there.only(name))
        model.eval()
        with progress(t("frozen layers"), len(batches), quiet=quiet) as bar:
            for number, rows in enumerate(batches, start=1):
                batch = to_tensors(model, tokens, rows)
                with torch.inference_mode(), autocast(precision, model.device.type):
                    states, _ = model.read(name, **batch)
                yield rows, states
                bar.update(number)
