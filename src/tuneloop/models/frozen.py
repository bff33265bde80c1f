"""The frozen first layers of an encoder in training: in evaluation mode, so a text has the same states in every epoch.

So the states need computing only once: before the first step every text is read in large batches of like
length, and what the last frozen layer says of each token is kept as bf16 on disk, where each step reads
it. Training that keeps nothing rounds it alike, so both lead to the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.models.device import autocast
from tuneloop.models.features import tokens_hash, weights_hash
from tuneloop.models.first_token import encoder_layers, is_like_bert, sample_batch
from tuneloop.models.forward import reading_batches, to_tensors
from tuneloop.models.states import States, make_room, open_states, size_bytes, with_states, write_states

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.models.frozen_encoders import FrozenEncoders

    IntArray = np.ndarray[Any, np.dtype[Any]]
    Prefix: TypeAlias = "FrozenPrefix | FrozenEncoders"
    """What `frozen_prefix` gives."""


class FrozenPrefix:
    """What a model computes before its first trained weight; nothing, where its first layer is trained.

    The model is changed inside `with prefix:` alone, and there it answers as ever outside of `prefix.standing_in`.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._modules, layers = _leading(model)
        every = encoder_layers(model) or []
        # the last layer is never left out: it may answer for the first token alone
        self._layers = layers[: len(every) - 1] if every and all(map(is_like_bert, layers)) else []
        self._states: States | None = None
        self._given: torch.Tensor | None = None
        self._rounds = False
        if self._layers and not self._can_be_skipped():
            self._layers = []

    def eval(self) -> None:
        """Put it into evaluation mode, whatever mode the rest of the model is in."""
        for module in self._modules:
            module.training = False

    def size_bytes(self, tokens: Tokens) -> int:
        """What keeping the states of these texts takes; 0 where there are none that could be kept."""
        return size_bytes(int(tokens.offsets[-1]), self._hidden) if self._layers else 0

    def keep(self, tokens: Tokens, precision: str, *, folder: Path, limit_bytes: int, quiet: bool = False) -> None:
        """Take the states of these texts from a file in `folder`: of an earlier run, or made now.

        Args:
            precision: fp32 or bf16 (autocast).
            limit_bytes: size of all files in `folder`, from which on the oldest make room.

        Raises:
            StorageError: if the disk refuses.
        """
        path = folder / f"{self._key(tokens, precision)}.bf16"
        self._states = open_states(path, tokens.offsets, self._hidden)
        if self._states is None:
            make_room(folder, self.size_bytes(tokens), limit_bytes=limit_bytes)
            write_states(path, tokens.offsets, self._compute(tokens, precision, quiet))
            self._states = open_states(path, tokens.offsets, self._hidden)

    @contextmanager
    def standing_in(self, rows: IntArray, width: int) -> Iterator[None]:
        """Inside the block the kept states answer for the frozen layers, for these texts padded to `width` tokens."""
        if self._states:
            weight = next(self._layers[0].parameters())
            self._given = self._states.read(rows, width).to(weight.device, weight.dtype)
        self._rounds = True
        try:
            yield
        finally:
            self._given, self._rounds = None, False

    def loss(self, loss: Any) -> Any:
        """A method's loss (`GradientMethod.loss`) in which the kept states stand in, for the rows that it is given."""
        return with_states(loss, self.standing_in)

    def __enter__(self) -> FrozenPrefix:
        for number, part in enumerate(self._parts, start=-len(self._parts)):
            part.forward = partial(self._forward, part.forward, number == -1)
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            del part.forward
        if self._states:
            self._states.close()

    def _forward(self, compute: Any, is_last: bool, *inputs: Any, **named: Any) -> Any:
        import torch

        if self._given is not None:
            return self._given
        answer = compute(*inputs, **named)
        return answer.to(torch.bfloat16).to(answer.dtype) if is_last and self._rounds else answer

    @property
    def _parts(self) -> list[Any]:
        return [self._model.base_model.embeddings, *self._layers] if self._layers else []

    @property
    def _hidden(self) -> int:
        return int(self._model.config.hidden_size)

    def _key(self, tokens: Tokens, precision: str) -> str:
        states = {f"{number}": part.state_dict() for number, part in enumerate(self._parts)}
        weights = [(f"{number}.{name}", weight) for number, each in states.items() for name, weight in each.items()]
        return hash_json([weights_hash(self._model, weights), tokens_hash(tokens), precision, self._model.device.type])

    def _can_be_skipped(self) -> bool:
        """Whether the answer follows from the states behind these layers alone: not guessed from a name, but tried."""
        import torch

        model, sample, training = self._model, sample_batch(self._model), self._model.training
        model.eval()
        # not in inference mode: FSDP keeps what its first pass takes memory for, and steps could not learn with that
        with torch.no_grad(), self:
            states, expected = _states_and_answer(model, self._layers[-1], sample)
            self._given = states
            try:
                same = torch.allclose(model(**sample).logits, expected, atol=1e-4)
            except (IndexError, RuntimeError, TypeError):  # something between the embeddings and the layers
                same = False
            self._given = None
        model.train(training)
        return same

    def _compute(self, tokens: Tokens, precision: str, quiet: bool) -> Iterator[tuple[IntArray, torch.Tensor]]:
        """Rows and their states, for batches of texts of like length; the layers above are left out."""
        import torch

        model, batches = self._model, reading_batches(tokens.lengths)
        encoder, every = model.base_model.encoder, encoder_layers(model)
        encoder.layer = every[: len(self._layers)]
        model.eval()
        try:
            with progress(t("frozen layers"), len(batches), quiet=quiet) as bar:
                for number, rows in enumerate(batches, start=1):
                    with torch.inference_mode(), autocast(precision, model.device.type):
                        states, _ = _states_and_answer(model, self._layers[-1], to_tensors(model, tokens, rows))
                    yield rows, states
                    bar.update(number)
        finally:
            encoder.layer = every


def frozen_prefix(model: PreTrainedModel) -> Prefix:
    """What a model computes before its first trained weight: a `FrozenPrefix`, or a `FrozenEncoders` like it."""
    if hasattr(model, "media_inputs"):
        from tuneloop.models.frozen_encoders import FrozenEncoders

        return FrozenEncoders(model)
    return FrozenPrefix(model)


def _leading(model: PreTrainedModel) -> tuple[list[Any], list[Any]]:
    """The modules that compute before the first trained weight, and the transformer layers among them."""
    import torch

    from tuneloop.models.virtual_tokens import Prompt

    modules = list(model.base_model.modules())
    stack = next((module for module in modules if isinstance(module, torch.nn.ModuleList)), None)
    before = list(takewhile(lambda module: module is not stack, modules))
    layers = list(takewhile(_is_constant, stack or ()))
    if any(isinstance(module, Prompt) for module in modules):  # learnt vectors that go through every layer
        return [], []
    if not layers or any(weight.requires_grad for each in before for weight in each.parameters(recurse=False)):
        return [], []
    around = [module for module in before if stack in module.modules()]
    return [*(set(before) - set(around)), *(module for layer in layers for module in layer.modules())], layers


def _states_and_answer(model: PreTrainedModel, layer: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """What a layer makes of a batch, (batch, tokens, hidden), and the logits, (batch, outputs)."""
    received: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, answer: received.append(answer))
    try:
        logits = model(**batch).logits
    finally:
        hook.remove()
    return received[0], logits


def _is_constant(layer: torch.nn.Module) -> bool:
    """Whether nothing in a layer is trained and nobody looks into it."""
    hooks = any(each._forward_hooks or each._forward_pre_hooks for each in layer.modules())
    return not hooks and not any(weight.requires_grad for weight in layer.parameters())
