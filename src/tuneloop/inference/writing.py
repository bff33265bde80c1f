"""A model folder that writes texts: the `ModelHandle` of generation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import RunConfig, TaskConfig
from tuneloop.core.errors import ConfigError, ModelError
from tuneloop.core.i18n import t
from tuneloop.core.preparation import CleanConfig
from tuneloop.data.batches import inference_batches
from tuneloop.data.clean import clean_inputs
from tuneloop.data.examples import Input, Label
from tuneloop.inference.constrained import Constraint, Steered, compile_constraint
from tuneloop.inference.continuous import ContinuousBatch, Limits, shareable
from tuneloop.inference.decoding import Decoding, Penalty
from tuneloop.inference.opening import open_model, open_tokenizer
from tuneloop.inference.predictor import Predictor
from tuneloop.inference.sharing import share_weights
from tuneloop.knowledge.attach import open_knowledge
from tuneloop.models.device import choose_device, torch_form
from tuneloop.models.encoder_decoder import first_logits
from tuneloop.models.forward import places_for_texts, virtual_tokens
from tuneloop.models.load import load_writer
from tuneloop.models.packed import use_packed_attention
from tuneloop.models.quantized import is_quantized, moved
from tuneloop.models.source import resolve
from tuneloop.tasks import task_class
from tuneloop.tasks.spans import as_scores
from tuneloop.tasks.written import Written

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.inference.constrained import Spec
    from tuneloop.models.chat import ChatTokenizer
    from tuneloop.tasks.base import Prediction
    from tuneloop.tasks.generation import Generation

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

CHUNK_ROWS = 32
"""Answers that are written side by side at most."""

MEASURED_PROMPTS, MEASURED_TOKENS = 8, 32

BOUND = {"forced_bos_token_id": None, "forced_eos_token_id": None, "min_length": 0, "no_repeat_ngram_size": 0}
"""Wishes of a model's own settings that a constraint overrules: together they may leave no token at all."""

WRITING_TOKENS = 8192
"""Tokens of prompts and answers of a batch at most, which the keys and values of all layers are kept for."""


class WritingEngine:
    """A model of torch that writes, on the GPU if there is one.

    Args:
        model: ready to answer.
        name: torch-fp32 or torch-bf16.
    """

    max_batch_tokens = WRITING_TOKENS

    def __init__(self, model: PreTrainedModel, name: str) -> None:
        self.name = name
        model = moved(model, device=choose_device())
        self.model = model if is_quantized(model) else share_weights(model)
        use_packed_attention(self.model)


class Writer(Predictor):
    """Answers of a language model; equal prompts are answered once, prompts of like length together."""

    engine: WritingEngine | None  # type: ignore[assignment]
    task: Generation
    tokenizer: ChatTokenizer
    _constraint: Constraint | None = None

    @property
    def constraint(self) -> Constraint | None:
        """What every answer must look like, as the task says; None where any text will do."""
        if self._constraint is None and self.task.options.constraint.given:
            self._constraint = compile_constraint(self.task.options.constraint, self.tokenizer)
        return self._constraint

    def bound_by(self, constraint: Constraint | Spec) -> Writer:
        """The same writer, whose answers must look like this instead; it is closed with this one.

        Raises:
            ConfigError: if no answer can look like that, or it cannot be understood.
        """
        other = copy(self)
        known = isinstance(constraint, Constraint)
        other._constraint = constraint if known else compile_constraint(constraint, self.tokenizer)
        return other

    def predict(self, inputs: Sequence[Input], *, constraint: Constraint | Spec | None = None) -> list[Prediction]:
        """One prediction per input, in order; `constraint` holds for this call alone."""
        return super().predict(inputs) if constraint is None else self.bound_by(constraint).predict(inputs)

    def scores(self, inputs: Sequence[Input], labels: Sequence[Label] | None = None) -> FloatArray:
        """What is written to each prompt, in order, an array (n,) of `Written`.

        Args:
            labels: reference answers, (n,), whose log-likelihood is measured too.
        """
        written = super().scores(inputs)
        if labels is None:
            return written
        sums, counts = self.likelihoods(inputs, labels)
        return as_scores(
            each._replace(log_likelihood=float(total), tokens=int(count))
            for each, total, count in zip(written, sums, counts, strict=True)
        )

    def likelihoods(self, inputs: Sequence[Input], labels: Sequence[Label]) -> tuple[FloatArray, Any]:
        """Log-likelihood of what is learnt of each conversation with its answer, and how many tokens, each (n,)."""
        lessons = self.task.lessons(clean_inputs(inputs, self.clean), labels)
        return self.task.likelihoods(self._opened.model, self.tokenizer.encode(lessons), "fp32")

    def logits(self, inputs: Sequence[Input]) -> FloatArray:
        """Logits of the token that follows each prompt, (n, words)."""
        import torch

        model, tokens = self._opened.model, self._encode(inputs)
        found = np.zeros((len(tokens), model.config.get_text_config().vocab_size), np.float32)
        for rows in inference_batches(tokens.lengths, max_tokens=self._opened.max_batch_tokens):
            batch = self._batch(tokens, rows)
            with torch.inference_mode():
                if self.reads_apart:
                    logits = first_logits(model, batch, self.tokenizer.before)  # type: ignore[attr-defined]
                else:  # as when it writes: places are counted from the first token, not from the padding
                    places = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
                    logits = model(**batch, position_ids=places, logits_to_keep=1).logits[:, -1]
            found[rows] = logits.float().cpu().numpy()
        return found

    def shares(self, ids: Sequence[int], places: Sequence[int]) -> FloatArray:
        """Probabilities of the tokens at `places` of one text, each from all tokens before it, (places, words)."""
        import torch

        row = torch.tensor([list(ids[: max(places)])], device=self._opened.model.device)
        with torch.inference_mode():
            logits = self._opened.model(input_ids=row).logits[0, torch.tensor(places) - 1]
        found: FloatArray = logits.float().softmax(dim=-1).cpu().numpy()
        return found

    def answers_per_s(self, inputs: Sequence[Input]) -> float:
        """Answers of `MEASURED_TOKENS` tokens to the first few of these prompts, written side by side, per second."""
        tokens = self._encode(list(dict.fromkeys(inputs))[:MEASURED_PROMPTS])
        batch = self._batch(tokens, np.arange(len(tokens)))
        places, count = places_for_texts(self._opened.model), MEASURED_TOKENS
        if places is not None and not self.reads_apart:  # what has no place beside the answers is not read
            count = min(count, places // 2)
            batch = {name: each[:, -(places - count) :] for name, each in batch.items()}
        limits = {"max_new_tokens": count, "min_new_tokens": count, "do_sample": False}
        pad = {"pad_token_id": self.tokenizer.pad_id}
        took_s = []
        for _ in range(2):  # the first one warms up
            began_s = time.perf_counter()
            self._opened.model.generate(**batch, **limits, **pad)
            took_s.append(time.perf_counter() - began_s)
        return len(tokens) / took_s[-1]

    def prompts(self, inputs: Sequence[Input]) -> tuple[list[list[int]], list[bool]]:
        """The token ids that an answer to each input follows, and whether its beginning was cut off."""
        tokens = self._encode(inputs)
        ids = [tokens.ids[start:end].tolist() for start, end in pairwise(tokens.offsets.tolist())]
        return ids, tokens.truncated.tolist()

    @property
    def shareable(self) -> bool:
        """Whether `side_by_side` can write its answers."""
        return shareable(self._opened.model)

    def side_by_side(self, limits: Limits) -> ContinuousBatch:
        """What writes answers to prompts that come one by one, ended by the same tokens as those of `scores`.

        Raises:
            ModelError: if the model keeps something else than keys and values between two tokens.
        """
        return ContinuousBatch(self._opened.model, ends=self.ends, text_of=self.tokenizer.text_of, limits=limits)

    @property
    def own_decoding(self) -> Decoding:
        """How the task lets answers be written; the likeliest sentence (beam) is left to `scores`."""
        options = self.task.options
        plain = Decoding(options.max_new_tokens, repetition_penalty=options.repetition_penalty)
        if options.decoding != "sample":
            return plain
        return replace(plain, temperature=options.temperature, top_p=options.top_p)

    @property
    def context_tokens(self) -> int:
        """Tokens of prompt and answer that the model was made for, without the virtual tokens before them."""
        config = self._opened.model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None)
        return int(most) - virtual_tokens(self._opened.model) if most else self.tokenizer.max_tokens

    def greedy(self) -> Writer:
        """The same model, which always takes the likeliest token."""
        other, task = copy(self), copy(self.task)
        task.options = task.options.model_copy(update={"decoding": "greedy"})
        other.task = task
        return other

    def _scores(self, tokens: Tokens, inputs: list[Input]) -> FloatArray:
        rooms = self._rooms(tokens.lengths)
        found: list[Written] = [Written("", finished=False)] * len(tokens)  # what a prompt without room is left with
        for room in np.unique(rooms[rooms > 0]).tolist():
            alike = np.flatnonzero(rooms == room)
            for part in inference_batches(
                tokens.lengths[alike] + room,
                max_tokens=self._opened.max_batch_tokens,
                max_rows=CHUNK_ROWS,
                max_padding=1 << 30,
            ):
                group = alike[part]
                for row, written in zip(group.tolist(), self._write(tokens, group, room), strict=True):
                    found[row] = written
        return as_scores(found)

    def _rooms(self, lengths: Any) -> Any:
        """Tokens that the answer to each prompt may have, (n,): fewer where the model has no places for more."""
        wanted, places = self.task.options.max_new_tokens, places_for_texts(self._opened.model)
        if places is None:
            return np.full(len(lengths), wanted)
        return np.minimum(wanted, np.full(len(lengths), places - 1) if self.reads_apart else places - lengths)

    def _write(self, tokens: Tokens, rows: Any, room: int) -> Iterator[Written]:
        import torch

        model, ends, bound = self._opened.model, self.ends, self.constraint
        batch = self._batch(tokens, rows)
        width = 1 if self.reads_apart else batch["input_ids"].shape[1]
        more: dict[str, Any] = {"max_new_tokens": room}
        processors: list[Any] = []
        penalty = self.task.options.repetition_penalty
        if penalty != 1 and not self.reads_apart:
            processors.append(Penalty(penalty, batch["attention_mask"]))
            more["repetition_penalty"] = 1.0
        if bound:
            before = self.tokenizer.before if self.reads_apart else []  # type: ignore[attr-defined]
            processors.append(Steered(bound, width, before))
            more |= BOUND
            width += len(before)
        with torch.inference_mode():
            out = model.generate(**batch, **self._decoding() | more, logits_processor=processors)
        for ids in out[:, width:].tolist():
            stop = next((place for place, number in enumerate(ids) if number in ends), None)
            finished = stop is not None or (bound is not None and bound.completes(ids))
            yield Written(self.tokenizer.text_of(ids[:stop]), finished=finished)

    def _decoding(self) -> dict[str, Any]:
        options = self.task.options
        chosen: dict[str, Any] = {
            "max_new_tokens": options.max_new_tokens,
            "do_sample": options.decoding == "sample",
            "num_beams": options.beams if options.decoding == "beam" else 1,
            "repetition_penalty": options.repetition_penalty,
            "eos_token_id": sorted(self.ends),
            "pad_token_id": self.tokenizer.pad_id,
        }
        return chosen | (
            {"temperature": options.temperature, "top_p": options.top_p, "top_k": 0} if chosen["do_sample"] else {}
        )

    @property
    def reads_apart(self) -> bool:
        """Whether an encoder reads the prompts, so that what is written stands alone, behind one token that begins."""
        return bool(self._opened.model.config.is_encoder_decoder)

    def _batch(self, tokens: Tokens, rows: Any) -> dict[str, Any]:
        """Prompts; those of a causal model end in the same column, so that what is written begins there."""
        import torch

        batch = tokens.batch(rows)
        both = {name: batch[name] for name in ("input_ids", "attention_mask")}
        if not self.reads_apart:
            both = _left_padded(**both)
        return {name: torch.from_numpy(each).to(self._opened.model.device) for name, each in both.items()}

    @property
    def ends(self) -> set[int]:
        """The tokens that end an answer: the tokenizer's, and those of the model's own settings."""
        known = getattr(self._opened.model.generation_config, "eos_token_id", None)
        more = [known] if isinstance(known, int) else known or []
        return {int(number) for number in (self.tokenizer.end_id, *more) if number is not None}

    @property
    def _opened(self) -> WritingEngine:
        if self.engine is None:
            raise ModelError(t("The model {name} is closed.", name=self.name), t("Open it again."))
        return self.engine


def evaluated_with(task: TaskConfig) -> str:
    """The form of torch that a run is evaluated with."""
    return writes_with() if task_class(task).generates else "torch-fp32"


def writes_with() -> str:
    """The form of torch that texts are written and evaluated with here: bf16 where the machine computes in it.

    Decoding is bound by reading the weights, of which bf16 is half; the published figures of language models are
    those of 16 bits too.
    """
    return torch_form()


def open_writer(folder: Path, *, engine: str, task: Generation, settings: dict[str, Any]) -> Writer:
    """The writer of a model folder, in a form of torch.

    Raises:
        ConfigError: if there is no such form.
        ModelError: if a file is missing or damaged.
    """
    if engine not in ("torch-fp32", "torch-bf16"):
        raise ConfigError(
            t("The engine {name} does not write texts.", name=engine),
            t("Choose one of: {known}.", known="torch-fp32, torch-bf16"),
        )
    model = open_model(folder, dtype=_dtype(engine))
    return Writer(
        WritingEngine(model, engine),  # type: ignore[arg-type]
        task=task,
        tokenizer=open_tokenizer(folder, task, settings),  # type: ignore[arg-type]
        clean=CleanConfig(**settings["clean"]),
        name=f"{folder.name} ({engine})",
        knowledge=open_knowledge(folder),
    )


def open_written(folder: Path, *, like: Writer, name: str) -> Writer:
    """The writer of any Hugging Face folder, which reads with its own tokenizer and template, cut as `like` does.

    Raises:
        ModelError: if it cannot be opened, or holds no model that writes.
    """
    engine = like.engine.name if like.engine is not None else writes_with()
    model = load_writer(folder).requires_grad_(False).train(False)
    return Writer(
        WritingEngine(moved(model, dtype=_dtype(engine)), engine),
        task=like.task,
        tokenizer=like.task.tokenizer(folder, like.tokenizer.max_tokens),
        clean=like.clean,
        name=name,
    )


def open_untuned(config: RunConfig, *, task: Generation, base: Path) -> Writer:
    """The pretrained model that a configuration starts from, as it came: what tuning is to be compared with.

    Raises:
        ModelError: if it cannot be found or opened.
    """
    folder = resolve(config.model.source, base=base)
    model = load_writer(folder, trust_remote_code=config.model.trust_remote_code).requires_grad_(False).train(False)
    engine = writes_with()
    return Writer(
        WritingEngine(moved(model, dtype=_dtype(engine)), engine),
        task=task,
        tokenizer=task.tokenizer(folder, config.model.max_tokens),
        clean=config.data.clean,
        name=config.model.source,
    )


def _dtype(engine: str) -> torch.dtype:
    import torch

    return torch.bfloat16 if engine.endswith("bf16") else torch.float32


def _left_padded(input_ids: Any, attention_mask: Any) -> dict[str, Any]:
    """Texts that were padded on the right, padded on the left."""
    width = attention_mask.shape[1]
    columns = (np.arange(width) - (width - attention_mask.sum(axis=1))[:, None]) % width
    both = {"input_ids": input_ids, "attention_mask": attention_mask}
    return {name: np.take_along_axis(each, columns, axis=1) for name, each in both.items()}
