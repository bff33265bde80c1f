"""Models that read a prompt with an encoder and write the answer with a decoder: T5, mT5, BART and their kin.

A conversation with its answer is one row of `Tokens`, as for a causal model: what the encoder reads, then, marked by
`type_ids`, what the decoder is to write. Here the two are parted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.hashing import hash_json
from tuneloop.data.conversation import spoken, to_messages
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.models.chat import LEAST_PROMPT, ChatTokenizer, chat_template
from tuneloop.models.tokenizer import sound

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class PromptTokenizer(ChatTokenizer):
    """A prompt becomes what the encoder reads; a (prompt, answer) tuple that and, marked, what the decoder is to write.

    What one user says is read as it is; a conversation by the chat template of the folder, or, as hardly any
    encoder-decoder has one, as what was said, one message below the other. Both sides have the special tokens that the
    tokenizer puts around any text. A prompt that is too long loses its end, a conversation its beginning behind the
    instruction, an answer its end.

    Args:
        folder: a model folder with `tokenizer.json`.
        max_tokens: tokens of a prompt at most, and of an answer.
        instruction: what stands before every prompt in which the system says nothing, such as "translate English to
            German:".

    Raises:
        ModelError: if the folder has no readable `tokenizer.json`, or the tokenizer no token that ends an answer.
    """

    def __init__(self, folder: Path, max_tokens: int, *, instruction: str = "") -> None:
        super().__init__(folder, max_tokens, every_answer=False, instruction=instruction)
        self._talks = bool(chat_template(folder))
        self.before, self._after = self._frame()

    @property
    def identity(self) -> str:
        """A hash of all that determines the tokens."""
        return hash_json([super().identity, "encoder-decoder", *(["instruction kept"] if self.instruction else [])])

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every prompt, or of every prompt and its answer, in order."""
        ids: list[list[int]] = []
        marks: list[int] = []
        cut = []
        for item in inputs:
            prompt, answer = (item, None) if isinstance(item, str) else item
            read, was_cut = self._prompt(sound(prompt))
            written: list[int] = []
            if answer is not None:
                inner = self._as_text.encode(sound(answer), add_special_tokens=False).ids
                written, too_long = self._framed(inner, from_end=False, end=True)
                was_cut |= too_long
            ids.append([*read, *written])
            marks += [0] * len(read) + [1] * len(written)
            cut.append(was_cut)
        tokens = Tokens.of_first_texts(ids, truncated=cut, pad_id=self.pad_id)
        flat = np.array(marks, dtype=np.int8)
        return Tokens(tokens.ids, tokens.offsets, flat if flat.any() else None, tokens.truncated, tokens.pad_id)

    def _prompt(self, text: str) -> tuple[list[int], bool]:
        messages = to_messages(text)
        if self._talks:
            ids, _ = self._read(self.told(messages), None)
            return ids[-self.max_tokens :], len(ids) > self.max_tokens
        one = len(messages) == 1
        said = messages[0].content if one else spoken(text)
        told = self.instruction if messages[0].role != "system" else ""
        encoding = self._as_text.encode(f"{told} {said}" if told else said, add_special_tokens=False)
        first = sum(start < len(told) for start, _ in encoding.offsets)
        return self._framed(encoding.ids, from_end=not one, first=first)

    def _framed(self, ids: list[int], *, from_end: bool, end: bool = False, first: int = 0) -> tuple[list[int], bool]:
        """Ids between the special tokens of any text, within `max_tokens`.

        Args:
            from_end: whether a text that is too long loses its beginning.
            end: whether the last token is to end an answer.
            first: so many ids at the beginning are an instruction, which is kept as far as a text has room beside it.
        """
        after = [*self._after, self.end_id] if end and self.end_id not in self._after else self._after
        room = max(1, self.max_tokens - len(self.before) - len(after))
        if from_end and len(ids) > room:
            first = min(first, room - max(1, int(room * LEAST_PROMPT)))
            kept = [*ids[:first], *ids[len(ids) - room + first :]]
        else:
            kept = ids[:room]
        return [*self.before, *kept, *after], len(ids) > room  # type: ignore[list-item]

    def _frame(self) -> tuple[list[int], list[int]]:
        """The special tokens that the tokenizer puts before and behind any text."""
        plain, framed = (list(self._inner.encode("a", add_special_tokens=each).ids) for each in (False, True))
        starts = [place for place in range(len(framed)) if framed[place : place + len(plain)] == plain]
        return (framed[: starts[0]], framed[starts[0] + len(plain) :]) if plain and starts else ([], [])


def answer_losses(model: PreTrainedModel, batch: dict[str, Tensor], learnt: Tensor) -> Tensor:
    """-log p of every learnt token given its prompt and those before it, float32, in the order of the texts.

    Args:
        batch: `input_ids` and `attention_mask`, (texts, width): prompts followed by answers.
        learnt: which tokens are of the answer, bool, (texts, width).
    """
    import torch

    from tuneloop.models.next_token import next_token_losses

    mask = batch["attention_mask"].bool()
    pad = int(model.config.pad_token_id or 0)
    read, seen = _gathered(batch["input_ids"], mask & ~learnt, pad)
    labels, written = _gathered(batch["input_ids"], learnt, pad)
    states = _states(model, read, seen, labels)[written]
    head: Any = model.get_output_embeddings().weight  # type: ignore[union-attr]
    bias = getattr(model, "final_logits_bias", None)
    if bias is not None and bias.any():  # a bias is the weight of an input that is always one
        states = torch.cat([states, states.new_ones(len(states), 1)], dim=1)
        head = torch.cat([head, bias[0, :, None].to(head.dtype)], dim=1)
    return next_token_losses(states, head, labels[written])


def first_logits(model: PreTrainedModel, batch: dict[str, Tensor], before: Sequence[int]) -> Tensor:
    """Logits of the first token of the answer to each prompt, (prompts, words).

    Args:
        before: special tokens that every answer begins with.
    """
    import torch

    # what is asked for stands at the end of the labels, where no decoder sees it
    labels = torch.tensor([*before, model.config.eos_token_id], device=model.device)
    written = decoder_inputs(model, labels[None].expand(len(batch["input_ids"]), -1).contiguous())
    logits: Tensor = model(**batch, decoder_input_ids=written).logits[:, -1]
    return logits


def decoder_inputs(model: PreTrainedModel, labels: Tensor) -> Tensor:
    """What the decoder reads where it is to write `labels`, (texts, width) both: each token one place later."""
    shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    if shift is not None:
        return shift(labels=labels)  # type: ignore[no-any-return]
    inputs = labels.roll(1, dims=1)
    inputs[:, 0] = int(model.config.decoder_start_token_id)
    return inputs


def _states(model: PreTrainedModel, read: Tensor, seen: Tensor, labels: Tensor) -> Tensor:
    """What the last layer receives for each label, (texts, width, hidden); the logits are not made."""
    received: list[Tensor] = []

    def instead(_: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        received.append(inputs[0])
        return (inputs[0][:, :0],)

    hook = model.get_output_embeddings().register_forward_pre_hook(instead)  # type: ignore[union-attr]
    try:
        model(
            input_ids=read,
            attention_mask=seen.long(),
            decoder_input_ids=decoder_inputs(model, labels),
            use_cache=False,
        )
    finally:
        hook.remove()
    return received[0]


def _gathered(ids: Tensor, chosen: Tensor, pad: int) -> tuple[Tensor, Tensor]:
    """The chosen tokens of each text moved to its front, padded to the longest, and where they are no padding."""
    import torch

    counts = chosen.sum(dim=1)
    there = torch.arange(max(1, int(counts.max())), device=ids.device) < counts[:, None]
    found = torch.full(there.shape, pad, dtype=ids.dtype, device=ids.device)
    found[there] = ids[chosen]
    return found, there
