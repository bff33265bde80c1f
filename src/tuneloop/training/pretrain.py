"""Pretraining: from plain texts to an encoder as a Hugging Face folder, which `model.source` then names."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import RunConfig, TrainingConfig
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.fsio import new_dir, write_json
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.provenance import environment
from tuneloop.data.pretraining_texts import PretrainingTexts, Splits, pretraining_texts
from tuneloop.methods.masked_lm import HiddenTokens, MaskedLanguageModel
from tuneloop.methods.split import Split
from tuneloop.models.device import choose_device, choose_precision
from tuneloop.models.load import load_language_model, quiet_transformers
from tuneloop.models.masked_lm import new_bert
from tuneloop.models.new_tokenizer import train_tokenizer
from tuneloop.models.source import resolve
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.training.interrupt import InterruptedTrainingError
from tuneloop.training.logs import METRICS
from tuneloop.training.loop import train
from tuneloop.training.run import alone
from tuneloop.training.save import copy_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SCRATCH = "scratch"
RECORD = "pretraining.json"
RATES = {True: 1e-3, False: 1e-4}
"""Peak learning rate from scratch, and going on from a model."""


@dataclass(frozen=True)
class Encoder:
    """A pretrained encoder's folder and its pretraining.json."""

    path: Path
    info: dict[str, Any]


@dataclass(frozen=True)
class _Start:
    """The model before the first step, the folder of its tokenizer, and whether the head that guesses is new."""

    model: PreTrainedModel
    tokenizer: Path
    new_head: bool


def pretrain(
    config: RunConfig, *, snapshot: Splits | None, workspace: Workspace, base: Path, quiet: bool = False
) -> Encoder:
    """The encoder that `config.pretraining` describes; made once, then given as it is.

    While it is made, its place is in the cache, by all that determines it: whoever calls again goes on from there.

    Args:
        snapshot: see `pretraining_texts`.
        base: what relative paths start from.

    Raises:
        ConfigError: if the name is taken by an encoder of other texts or settings.
        DataError: if the texts cannot be used.
        ModelError: if the model to go on from cannot be loaded, or is none that guesses tokens.
        InterruptedTrainingError: after Ctrl-C.
    """
    texts = pretraining_texts(config, snapshot, base=base)
    training = _training(config)
    wanted = _fingerprint(config, training, texts)
    path = workspace.encoders / config.pretraining.name
    work = workspace.cache / "pretraining" / f"{path.name}-{hash_json(wanted)[:12]}"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        with alone(work):
            _make(path, config, training, texts, wanted=wanted, work=work, base=base, quiet=quiet)
    made = _open(path, wanted)
    shutil.rmtree(work, ignore_errors=True)  # there is none where the encoder was there before
    return made


def _make(
    path: Path,
    config: RunConfig,
    training: TrainingConfig,
    texts: PretrainingTexts,
    *,
    wanted: dict[str, Any],
    work: Path,
    base: Path,
    quiet: bool,
) -> None:
    start = _begin(config, texts, work=work, base=base)
    tokenizer = Tokenizer(start.tokenizer, config.pretraining.max_tokens)
    method = MaskedLanguageModel(tokenizer.marks, share=config.pretraining.mask_share, seed=config.seed)
    method.prepare(start.model)
    splits = {"train": _split(tokenizer, texts.train), "dev": _split(tokenizer, texts.dev)}
    device = choose_device()
    precision = choose_precision(training.precision, device)
    try:
        place = train(
            start.model.to(device),  # type: ignore[arg-type]
            HiddenTokens(),
            method,
            train_split=splits["train"],
            dev_split=splits["dev"],
            config=training,
            seed=config.seed,
            precision=precision,
            folder=work,
            fingerprint=wanted,
            quiet=quiet,
        )
    except InterruptedTrainingError as stopped:
        raise InterruptedTrainingError(stopped.problem, t("Go on with the same command.")) from None
    dev = method.figures(start.model, HiddenTokens(), splits["dev"], precision)
    record = {
        "made_from": wanted,
        "texts": {"train": len(texts.train), "dev": len(texts.dev), "left_out": texts.left_out},
        "pieces": {name: len(split.tokens) for name, split in splits.items()},
        "tokens": {name: len(split.tokens.ids) for name, split in splits.items()},
        "parameters": sum(each.numel() for each in start.model.parameters()),
        "new_head": start.new_head,
        "dev": {"loss": -dev["log_likelihood"], "masked_accuracy": dev["masked_accuracy"]},
        "steps": place.step,
        "best_step": place.best_step,
        "samples_per_s": place.samples_per_s,
        "steps_s": place.steps_s,
        "environment": environment() | {"device": device, "precision": precision},
    }
    _save(path, start, record, metrics=work / METRICS)


def _save(path: Path, start: _Start, record: dict[str, Any], *, metrics: Path) -> None:
    """Write the folder that transformers opens, with the head that guesses, and how it was made."""
    with new_dir(path) as staging:
        with quiet_transformers():
            start.model.save_pretrained(staging)
        copy_tokenizer(start.tokenizer, staging)
        if (start.tokenizer / "1_Pooling").is_dir():  # what a sentence encoder is read by, for model.pooling: auto
            shutil.copytree(start.tokenizer / "1_Pooling", staging / "1_Pooling")
        shutil.copyfile(metrics, staging / METRICS)
        write_json(staging / RECORD, record)


def _begin(config: RunConfig, texts: PretrainingTexts, *, work: Path, base: Path) -> _Start:
    import torch

    settings = config.pretraining
    if settings.source != SCRATCH:
        folder = resolve(settings.source, base=base)
        torch.manual_seed(config.seed)
        model, new_head = load_language_model(folder, masked=True, trust_remote_code=config.model.trust_remote_code)
        return _Start(model, folder, new_head)
    if settings.hidden % settings.heads:
        raise ConfigError(
            t("pretraining.hidden is {hidden}, no multiple of {heads} heads.", hidden=settings.hidden,
              heads=settings.heads),
            t("Set pretraining.hidden to a multiple of pretraining.heads."),
        )  # fmt: skip
    folder = work / "tokenizer"
    count = train_tokenizer(texts.train, folder, vocabulary=settings.vocabulary, max_tokens=settings.max_tokens)
    torch.manual_seed(config.seed)
    shape = settings.model_dump(include={"layers", "hidden", "heads", "max_tokens"})
    return _Start(new_bert(vocabulary=count, **shape), folder, new_head=False)


def _split(tokenizer: Tokenizer, texts: list[str]) -> Split:
    """The pieces of the texts that have a word to guess.

    Raises:
        DataError: if there is none.
    """
    tokens = tokenizer.pieces(texts)
    is_word = np.isin(tokens.ids, tokenizer.marks.special, invert=True)
    words = np.diff(np.concatenate([[0], np.cumsum(is_word)])[tokens.offsets])
    if not words.any():
        raise DataError(
            t("The tokenizer {path} knows no word of the texts.", path=tokenizer.path),
            t("Choose a model for their language; or set pretraining.source: scratch."),
        )
    tokens = tokens.select(np.flatnonzero(words))
    return Split(tokens, list(range(len(tokens))))


def _training(config: RunConfig) -> TrainingConfig:
    """The `training` settings, with what `pretraining` says instead."""
    given = config.pretraining
    rate = given.learning_rate or RATES[given.source == SCRATCH]
    own = {"epochs": given.epochs, "batch_size": given.batch_size, "learning_rate": rate}
    own |= {"r_drop": 0.0, "supcon": 0.0}  # there is one answer for each token, and no class
    return config.training.model_copy(update=own)


def _fingerprint(config: RunConfig, training: TrainingConfig, texts: PretrainingTexts) -> dict[str, Any]:
    """All that determines the weights, as JSON."""
    plain = config.model_copy(update={"training": training}).fingerprint()
    own = config.pretraining.model_dump(exclude={"name", "epochs", "batch_size", "learning_rate"})
    return {"seed": config.seed, "pretraining": own, "training": plain["training"], "texts": texts.hash}


def _open(path: Path, wanted: dict[str, Any]) -> Encoder:
    """The encoder in a folder.

    Raises:
        ConfigError: if it was made from other texts or settings, or is none.
    """
    record = path / RECORD
    info = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if info.get("made_from") != wanted:
        raise ConfigError(
            t("{path} exists already and was made from other texts or settings.", path=path),
            t("Choose another pretraining.name, or remove that folder."),
        )
    return Encoder(path, info)
