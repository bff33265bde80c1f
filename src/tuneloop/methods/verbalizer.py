"""What methods that ask a language model share: the words that stand for classes, and how often they come anyway."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.options import Options
from tuneloop.models.forward import predict_logits
from tuneloop.models.load import head_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.data.tokens import IntArray, Tokens
    from tuneloop.tasks.base import Task

PRIOR_TEXTS = 512
"""Training texts at most that the label prior is taken from."""

UNBOUNDED = 1 << 20


Words = Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]
"""One text or several."""


class GapOptions(Options):
    """Options of methods that let a language model fill a gap."""

    template: str = Field(
        "{text} It was {mask}.", description="What stands around the text, and the gap; {pair} is a second text."
    )
    verbalizer: dict[str, Words] = Field(
        {}, description="Words that stand for each class: {good: [great, fine]}; the name of the class by default."
    )
    calibrate: bool = Field(True, description="Take away how likely each class's words are whatever the text says.")


def check_gap(options: GapOptions, task: Task, *, method: str) -> None:
    """Nothing, if the task has classes that words can stand for.

    Raises:
        ConfigError: saying what is wrong.
    """
    if not task.has_classes or task.layout != "whole":
        raise ConfigError(
            t("method {name} needs classes, which task {task} does not have.", name=method, task=task.name),
            t("Choose method: full, or task: classification."),
        )
    if task.takes_pairs and "{pair}" not in options.template:
        raise ConfigError(
            t("method {name} needs a template with the second text.", name=method),
            t("Choose method.template with a pair, as in: {example}", example="{text}? {mask}, {pair}"),
        )
    check_names(options.verbalizer, task, setting="method.verbalizer")


def check_names(given: Mapping[str, object], task: Task, *, setting: str) -> None:
    """Nothing, if all names in a setting are classes of the task.

    Raises:
        ConfigError: with the first that is none.
    """
    if unknown := sorted(given.keys() - set(task.labels)):
        raise ConfigError(
            t("{setting} names the class {name}, which the data do not have.", setting=setting, name=unknown[0]),
            t("Known labels: {known}.", known=", ".join(task.labels[:20])),
        )


def load_asked(options: GapOptions, folder: Path, task: Task, *, trust_remote_code: bool) -> PreTrainedModel:
    """The language model in `folder` as a classifier by the words of each class.

    Raises:
        ConfigError: if a word has no tokens, or two classes have the same words.
        ModelError: if it is no language model.
    """
    from tuneloop.models.filling import load_gap_filler
    from tuneloop.models.template import TemplateTokenizer

    tokenizer = TemplateTokenizer(folder, UNBOUNDED, options.template)
    words = {label: options.verbalizer.get(label) or (label,) for label in task.labels}
    rows = {label: [tokenizer.words(word) for word in given] for label, given in words.items()}
    _check_words(words, rows, unknown=tokenizer.unknown_id)
    if tokenizer.mask_id is None:  # what is written next is the first token of a word
        rows = {label: [tokens[:1] for tokens in each] for label, each in rows.items()}
    return load_gap_filler(
        folder,
        task,
        rows=list(rows.values()),
        mask_id=tokenizer.mask_id,
        dropout=task.options.dropout,
        trust_remote_code=trust_remote_code,
    )


def take_prior_away(model: PreTrainedModel, tokens: Tokens, precision: str, *, several: bool = False) -> None:
    """Lower each class's logit by its mean log-probability over the texts, whose labels are not looked at; where a text
    may have several classes, by its mean log-odds.

    Contextualised calibration: Hu et al., "Knowledgeable Prompt-tuning" (2022), section 3.3; Zhao et al., "Calibrate
    Before Use" (2021).
    """
    import torch

    logits = torch.from_numpy(predict_logits(model, tokens.select(prior_rows(len(tokens))), precision))
    with torch.no_grad():
        bias = head_of(model).bias
        bias -= (logits if several else logits.log_softmax(dim=1)).mean(dim=0).to(bias.device)


def prior_rows(count: int) -> IntArray:
    """The numbers of the texts, of so many, that the label prior is taken from."""
    return np.sort(np.random.default_rng(0).permutation(count)[:PRIOR_TEXTS])


def _check_words(
    words: Mapping[str, tuple[str, ...]], rows: Mapping[str, list[list[int]]], *, unknown: int | None
) -> None:
    seen: dict[tuple[tuple[int, ...], ...], str] = {}
    for label, each in rows.items():
        other = seen.setdefault(tuple(sorted(map(tuple, each))), label)
        if other != label or any(not tokens or unknown in tokens for tokens in each):
            raise ConfigError(
                t(
                    "The words {words} do not tell the class {label} from others.",
                    words=", ".join(words[label]),
                    label=label,
                ),
                t("Give each class words of its own in method.verbalizer."),
            )
