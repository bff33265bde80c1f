"""DPO: of two answers to a prompt the better one becomes likelier than the worse one, measured against the start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.methods.lora import Lora, LoraOptions
from tuneloop.methods.split import Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import Tokens
    from tuneloop.methods.base import FloatArray, IntArray, Sources
    from tuneloop.models.chat import ChatTokenizer
    from tuneloop.tasks.base import Task


class DpoOptions(LoraOptions):
    """Options of DPO."""

    rejected: str = Field("rejected", description="The column with the worse answer; the label is the better one.")
    loss: Literal["sigmoid", "ipo", "hinge"] = Field(
        "sigmoid", description="What is asked of the margin: sigmoid as in DPO; ipo: just so much; hinge: at least so."
    )
    beta: float = Field(0.1, gt=0, description="How strongly the model is held to where it started; less moves more.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="Share of the pairs that may be the wrong way round; for loss: sigmoid."
    )
    sft_weight: float = Field(0.0, ge=0, description="Weight of the usual loss on the better answer beside it.")
    rate_scale: float = Field(
        0.5, gt=0, description="Learning rate of the adapted weights relative to training.learning_rate."
    )


class Dpo(Lora):
    """-log sigmoid(beta h), h = log p(chosen) - log p(rejected) less the same of the model before tuning; over LoRA.

    Rafailov et al., "Direct Preference Optimization" (2023), equation 7; label_smoothing: Mitchell, "A note on DPO with
    noisy preferences" (2023). ipo: (h - 1 / (2 beta))^2, Azar et al., "A General Theoretical Paradigm to Understand
    Learning from Human Preferences" (2023), equation 17, with the log-likelihoods of tokens averaged, as is usual.
    hinge: max(0, 1 - beta h), Zhao et al., "SLiC-HF" (2023), with h as in DPO. Of a conversation the last answer alone
    counts, whatever task.learn says, and a prompt that is too long is cut alike for both answers. Weights are chosen by
    the share of the pairs of dev with h > 0.
    """

    name = "dpo"
    learns_probabilities = False
    Options = DpoOptions
    options: DpoOptions
    examples: ClassVar[dict[str, Any]] = {}
    reads_before = True

    def check(self, task: Task) -> None:
        super().check(task)
        if not task.generates:
            raise ConfigError(
                t("method {name} needs answers that are written, which task {task} has not.", name=self.name,
                  task=task.name),
                t("Choose task: generation, or method: lora."),
            )  # fmt: skip

    def selects_by(self, task: Task) -> str:
        return "preference_accuracy"

    def tokenizer(self, folder: Path, task: Task, max_tokens: int) -> ChatTokenizer:
        found = cast("ChatTokenizer", super().tokenizer(folder, task, max_tokens))
        found.every_answer = False  # earlier ones are the same for both
        return found

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        self._sources = sources
        return self._pairs(train, "train", task)

    def gather_dev(self, dev: Split, task: Task, sources: Sources) -> Split:
        return self._pairs(dev, "dev", task)

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        import torch

        self._reference = torch.from_numpy(self._before(model, task, train.tokens, precision)).to(model.device)

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        """The loss of each pair, once for either of its texts, (texts,)."""
        surprise = task.surprise(model, batch, targets)  # type: ignore[attr-defined]
        gained = self._reference[torch_rows(rows, surprise)] + surprise  # of the model before, less that of this one
        if self.options.loss == "ipo":
            gained = gained / targets.sum(dim=1)
        options = self.options
        losses = preference_losses(
            gained[1::2] - gained[::2], kind=options.loss, beta=options.beta, smoothing=options.label_smoothing
        )
        losses = losses + options.sft_weight * surprise[::2] / task.mean_tokens  # type: ignore[attr-defined]
        return losses.repeat_interleave(2)

    def figures(self, model: PreTrainedModel, task: Task, dev: Split, precision: str) -> dict[str, float]:
        """The share of pairs whose better answer has gained more, and the log-likelihood of its tokens."""
        sums, counts = task.likelihoods(model, dev.tokens, precision)  # type: ignore[attr-defined]
        gained = sums - self._before(model, task, dev.tokens, precision)
        if self.options.loss == "ipo":
            gained = gained / np.maximum(counts, 1)
        margins = gained[::2] - gained[1::2]
        return {
            "preference_accuracy": float((margins > 0).mean()),
            "reward_margin": float(self.options.beta * margins.mean()),
            "log_likelihood": float(sums[::2].sum() / max(1, counts[::2].sum())),
        }

    def _pairs(self, split: Split, name: str, task: Task) -> Split:
        """Each row as two texts that stay together: with the better answer, then with the worse one."""
        rejected = self._sources.texts_in(self.options.rejected, name)
        worse = self._sources.tokens(task.lessons(split.inputs, rejected))
        return replace(split, tokens=interleaved(*same_prompts(split.tokens, worse)))

    def _before(self, model: PreTrainedModel, task: Task, tokens: Tokens, precision: str) -> FloatArray:
        """The log-likelihood of each answer for the model before tuning, (texts,): the adapter is put aside."""
        from tuneloop.models.features import tokens_hash, weights_hash

        frozen = [(name, value) for name, value in model.named_parameters() if not value.requires_grad]
        if not hasattr(self, "_start"):  # these weights never change
            self._start = weights_hash(model, frozen)

        def compute() -> FloatArray:
            self.tuner.disable_adapter_layers()
            try:
                sums: FloatArray = task.likelihoods(model, tokens, precision)[0]  # type: ignore[attr-defined]
            finally:
                self.tuner.enable_adapter_layers()
            return sums

        key = ["reference", self._start, tokens_hash(tokens), precision, model.device.type]
        return self._sources.remembered(key, compute)


def preference_losses(margins: Tensor, *, kind: str, beta: float, smoothing: float = 0.0) -> Tensor:
    """The loss of each pair, (pairs,), from how much more the better answer has gained: see `Dpo`."""
    from torch.nn.functional import logsigmoid, relu

    if kind == "ipo":
        return (margins - 1 / (2 * beta)) ** 2
    if kind == "hinge":
        return relu(1 - beta * margins)
    return -(1 - smoothing) * logsigmoid(beta * margins) - smoothing * logsigmoid(-beta * margins)


def interleaved(better: Tokens, worse: Tokens) -> Tokens:
    """The texts of both in turn, bound in pairs."""
    count = len(better)
    turns = np.stack([np.arange(count), count + np.arange(count)], axis=1).ravel()
    both = better.followed_by(worse).select(turns)
    return replace(both, owners=np.repeat(np.arange(count), 2), bound=True)


def same_prompts(better: Tokens, worse: Tokens) -> tuple[Tokens, Tokens]:
    """Both texts of each pair with one prompt: where one was cut, with what the longer answer has left of it."""
    cut = better.truncated | worse.truncated
    sizes = [_prompt_sizes(each, cut) for each in (better, worse)]
    return _with_prompts(better, worse, *sizes), _with_prompts(worse, better, *sizes[::-1])


def _prompt_sizes(tokens: Tokens, rows: IntArray) -> IntArray:
    """Tokens before the answer in the given rows, (texts,); 0 in others."""
    sizes = np.zeros(len(tokens), np.int64)
    for row in np.flatnonzero(rows) if tokens.type_ids is not None else ():
        sizes[row] = np.argmax(tokens.type_ids[tokens.offsets[row] : tokens.offsets[row + 1]])
    return sizes


def _with_prompts(tokens: Tokens, others: Tokens, sizes: IntArray, their_sizes: IntArray) -> Tokens:
    """The texts, with the prompt of the other text where that is shorter."""
    longer = sizes > their_sizes
    if not longer.any() or tokens.type_ids is None:
        return tokens
    ids, marks = np.split(tokens.ids, tokens.offsets[1:-1]), np.split(tokens.type_ids, tokens.offsets[1:-1])
    for row in np.flatnonzero(longer):
        start, prompt = others.offsets[row], their_sizes[row]
        ids[row] = np.concatenate([others.ids[start : start + prompt], ids[row][sizes[row] :]])
        marks[row] = np.concatenate([np.zeros(prompt, np.int8), marks[row][sizes[row] :]])
    return replace(
        tokens,
        ids=np.concatenate(ids),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        type_ids=np.concatenate(marks),
        truncated=tokens.truncated | longer,
    )


def torch_rows(rows: Sequence[int] | IntArray, like: Tensor) -> Tensor:
    """Numbers of rows as an index on the device of a tensor."""
    import torch

    return torch.as_tensor(np.asarray(rows), device=like.device)
