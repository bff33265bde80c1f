"""A model folder that writes texts: the `ModelHandle` of generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import CleanConfig
from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.data.batches import inference_batches
from tuneloop.data.clean import clean_inputs
from tuneloop.data.examples import Input, Label
from tuneloop.inference.opening import open_model
from tuneloop.inference.predictor import Predictor
from tuneloop.models.device import choose_device
from tuneloop.models.packed import use_packed_attention
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    from tuneloop.data.tokens import Tokens
    from tuneloop.models.chat import ChatTokenizer
    from tuneloop.tasks.generation import Generation

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

CHUNK_ROWS = 32
"""Answers that are written side by side at most."""

WRITING_TOKENS = 8192
"""Tokens of prompts and answers of a batch at most, which the keys and values of all layers are kept for."""


class WritingEngine:
    """A causal model of torch that writes on, on the GPU if there is one.

    Args:
        folder: a model folder with config.json and safetensors weights.
        name: torch-fp32 or torch-bf16.

    Raises:
        ModelError: if the folder cannot be loaded.
    """

    def __init__(self, folder: Path, name: str) -> None:
        import torch

        self.name = name
        dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
        self.model = open_model(folder, dtype=dtype).to(choose_device())  # type: ignore[arg-type]
        use_packed_attention(self.model)

    max_batch_tokens = WRITING_TOKENS


class Writer(Predictor):
    """Answers of a language model; equal prompts are answered once, prompts of like length together."""

    engine: WritingEngine | None  # type: ignore[assignment]
    task: Generation
    tokenizer: ChatTokenizer

    def scores(self, inputs: Sequence[Input], labels: Sequence[Label] | None = None) -> FloatArray:
        """What is written to each prompt, in order, an array (n,) of `Written`.

        Args:
            labels: reference answers, (n,), whose log-likelihood is measured too.
        """
        written = self._answer(inputs)[0]
        if labels is None:
            return written
        sums, counts = self.likelihoods(inputs, labels)
        return as_scores(
            each._replace(log_likelihood=float(total), tokens=int(count))
            for each, total, count in zip(written, sums, counts, strict=True)
        )

    def likelihoods(self, inputs: Sequence[Input], labels: Sequence[Label]) -> tuple[FloatArray, Any]:
        """Log-likelihood of each reference answer (of the last turn alone), and its tokens, (n,) each."""
        lessons = self.task.lessons(clean_inputs(inputs, self.clean), labels)
        return self.task.likelihoods(self._opened.model, self.tokenizer.encode(lessons), "fp32")

    def stream(self, prompt: Input) -> Iterator[str]:
        """What is written, piece by piece, as soon as it is."""
        raise NotImplementedError

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """Logits of the token that follows each prompt, (n, words)."""
        import torch

        model, tokens = self._opened.model, self._encode(inputs)
        found = np.zeros((len(tokens), model.config.get_text_config().vocab_size), np.float32)
        for rows in inference_batches(tokens.lengths, max_tokens=self._opened.max_batch_tokens):
            batch = _left_padded(tokens, rows, model.device)
            with torch.inference_mode():
                found[rows] = model(**batch, logits_to_keep=1).logits[:, -1].float().cpu().numpy()
        return found

    def _answer(self, inputs: Sequence[Input]) -> tuple[FloatArray, Any]:
        numbers: dict[Input, int] = {}
        rows = np.array([numbers.setdefault(item, len(numbers)) for item in inputs], dtype=np.int64)
        tokens = self._encode(list(numbers))
        room = self.task.options.max_new_tokens
        found: list[Written] = [Written("")] * len(tokens)
        groups = inference_batches(
            tokens.lengths + room, max_tokens=self._opened.max_batch_tokens, max_rows=CHUNK_ROWS, max_padding=1 << 30
        )
        for group in groups:
            for row, written in zip(group.tolist(), self._write(tokens, group), strict=True):
                found[row] = written
        return as_scores(found[row] for row in rows.tolist()), tokens.truncated[rows]

    def _write(self, tokens: Tokens, rows: Any) -> Iterator[Written]:
        import torch

        model = self._opened.model
        batch = _left_padded(tokens, rows, model.device)
        with torch.inference_mode():
            out = model.generate(**batch, **self._decoding())
        width, ends = batch["input_ids"].shape[1], self._ends
        for ids in out[:, width:].tolist():
            stop = next((place for place, number in enumerate(ids) if number in ends), None)
            yield Written(self.tokenizer.text_of(ids[:stop]), finished=stop is not None)

    def _decoding(self) -> dict[str, Any]:
        options = self.task.options
        chosen: dict[str, Any] = {
            "max_new_tokens": options.max_new_tokens,
            "do_sample": options.decoding == "sample",
            "num_beams": options.beams if options.decoding == "beam" else 1,
            "repetition_penalty": options.repetition_penalty,
            "eos_token_id": sorted(self._ends),
            "pad_token_id": self.tokenizer.pad_id,
        }
        return chosen | (
            {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0} if chosen["do_sample"] else {}
        )

    @property
    def _ends(self) -> set[int]:
        """The tokens that end an answer: the tokenizer's, and those of the model's own settings."""
        known = getattr(self._opened.model.generation_config, "eos_token_id", None)
        more = [known] if isinstance(known, int) else known or []
        return {int(number) for number in (self.tokenizer.end_id, *more) if number is not None}

    @property
    def _opened(self) -> WritingEngine:
        if self.engine is None:
            raise ModelError(t("The model {name} is closed.", name=self.name), t("Open it again."))
        return self.engine


def open_writer(folder: Path, *, engine: str, task: Generation, settings: dict[str, Any]) -> Writer:
    """The writer of a model folder, in a form of torch.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    from tuneloop.inference.opening import open_tokenizer

    return Writer(
        WritingEngine(folder, engine),  # type: ignore[arg-type]
        task=task,
        tokenizer=open_tokenizer(folder, task, settings),
        clean=CleanConfig(**settings["clean"]),
        name=f"{folder.name} ({engine})",
    )


def _left_padded(tokens: Tokens, rows: Any, device: Any) -> dict[str, Any]:
    """Prompts that end in the same column, so that what is written begins there."""
    import torch

    batch = tokens.batch(rows)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    shift = mask.shape[1] - mask.sum(axis=1)
    columns = (np.arange(mask.shape[1]) - shift[:, None]) % mask.shape[1]
    return {
        "input_ids": torch.from_numpy(np.take_along_axis(ids, columns, axis=1)).to(device),
        "attention_mask": torch.from_numpy(np.take_along_axis(mask, columns, axis=1)).to(device),
    }
