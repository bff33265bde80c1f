"""What training, and the plan of it, start from: tokens, a task that has learnt its labels, a model on its device."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuneloop.core.config import RunConfig, TrainingConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.fusion import TEXT_ALONE, read_by
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.data.augment import augmented
from tuneloop.data.token_cache import cached_tokens
from tuneloop.inference.ruling import check_rules
from tuneloop.knowledge.attach import Knowledge
from tuneloop.media.items import is_item
from tuneloop.methods import create_method
from tuneloop.methods.base import GradientMethod, Method
from tuneloop.methods.split import Split
from tuneloop.models.device import choose_device, choose_precision
from tuneloop.models.embedding import keep_head
from tuneloop.models.forward import WIDTH_STEP, positions, predict_logits
from tuneloop.models.frozen import frozen_prefix
from tuneloop.models.fusing import fused_source, keep_frozen
from tuneloop.models.knowing import check_context, knowing
from tuneloop.models.quantized import moved
from tuneloop.models.source import deciding_hashes, resolve
from tuneloop.models.used_words import only_used_words
from tuneloop.tasks import create_task
from tuneloop.training import optim, recompute, regularisers
from tuneloop.training.checkpoint import PRETRAINED
from tuneloop.training.choice import settle
from tuneloop.training.continual import Continual, continual
from tuneloop.training.continual.held import Held
from tuneloop.training.continual.past import Past
from tuneloop.training.hardening import attacked
from tuneloop.training.knowledge import find_knowledge
from tuneloop.training.probable import train_probabilities
from tuneloop.training.sources import RunSources

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.data.examples import Examples
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import Task


class Snapshot(Protocol):
    """What a run needs of a data snapshot."""

    @property
    def hash(self) -> str:
        """Content hash of the splits."""

    @property
    def labels(self) -> Sequence[str]:
        """Class names, sorted."""

    def split(self, name: str) -> Examples:
        """The rows of train, dev or test."""


@dataclass(frozen=True)
class Prepared:
    """Everything that a run needs, before the first step.

    Args:
        source: the folder of the pretrained model.
        model: with a new head, frozen where the method freezes, on its device.
        precision: fp32 or bf16.
        beside: hashes of what the method reads beside train and dev, by what it is.
        knowledge: what the configuration names as such; None without any.
        continual: the model that is gone on from, with its rows.
        held: what holds the weights to that model.
    """

    task: Task
    method: Method
    source: Path
    model: PreTrainedModel
    train: Split
    dev: Split
    precision: str
    beside: dict[str, str] = field(default_factory=dict)
    knowledge: Knowledge | None = None
    continual: Continual | None = None
    held: Held | None = None

    @property
    def past(self) -> Past | None:
        """The model that is gone on from."""
        return self.continual.past if self.continual else None

    def used_words(self, training: TrainingConfig) -> AbstractContextManager[None]:
        """While it is trained, only the word vectors are that its texts hold: see `models.used_words`."""
        pulled_back = self.held is not None and bool(self.held.weights)
        # both go by the shapes of all weights
        return only_used_words(self.model, self.train.tokens, wanted=not pulled_back and not training.shard)

    def frozen_states_bytes(self, training: TrainingConfig) -> int:
        """What the states behind the frozen layers take on disk; 0 where there are none or no text is read twice."""
        reads_again = isinstance(self.method, GradientMethod) and training.epochs > 1
        if not reads_again or training.fgm:  # which moves the words that the frozen layers read
            return 0
        return frozen_prefix(self.model).size_bytes(self.train.tokens)

    def frozen_cache(self, training: TrainingConfig, cache: Path) -> Path | None:
        """The folder in `cache` for these states, None where there are none or they do not fit."""
        return cache / "states" if 0 < self.frozen_states_bytes(training) <= training.frozen_cache_bytes else None


def prepare(
    config: RunConfig,
    snapshot: Snapshot,
    *,
    base: Path | None = None,
    cache: Path | None = None,
    workspace: Workspace | None = None,
    put_on: str = "",
    quiet: bool = True,
) -> Prepared:
    """Read train and dev, and the model with a head drawn from the run's seed, or the one that is gone on from.

    Args:
        base: the folder that a relative model.source starts from.
        cache: where tokens are kept for the next run on the same texts; None writes nothing.
        workspace: where a teacher is looked for; that of the configuration by default.
        put_on: where the model is to be, for now; on the GPU by default, where there is one.
        quiet: show no progress of making tokens.

    Raises:
        ConfigError: if the task or the method does not exist or has no such option, or a regulariser makes no sense.
        ModelError: if the model cannot be found, loaded or trusted.
    """
    import torch

    config, _ = settle(config, snapshot, base=base)
    root = base or Path.cwd()
    place = workspace or Workspace(root / config.workspace)
    going_on = continual(config, place, split=snapshot.split, cache=cache)
    task = create_task(config.task, {"labels": going_on.labels(list(snapshot.labels))})
    method = create_method(config.method)
    going_on.check(method)
    method.fit(task)
    source = going_on.past.source if going_on.past else _source(config, snapshot, cache or place.cache, base)
    knowledge = find_knowledge(config.knowledge, base=root, workspace=place)
    check_rules(knowledge, task)
    places = bool(task.spans_in)
    check_context(knowledge, task=task.name, method=method.name, layout=task.layout, places=places)
    tokenizer = method.tokenizer(source, task, config.model.max_tokens)
    _check_constraint(task, tokenizer)
    _check_reads(config, tokenizer)
    tokenizer = knowing(tokenizer, knowledge)
    _check_augment(config, task)

    @functools.cache  # a method may ask for the same rows again
    def split(name: str) -> Examples:
        rows = snapshot.split(name)
        if name == "train":
            rows, settings = going_on.train(rows, method), config.data.augment
            more = attacked(rows, settings, place, seed=config.seed, cache=cache)
            return augmented(rows, settings, seed=config.seed, more=more)
        return going_on.dev(rows) if name == "dev" else rows

    rows = {name: split(name) for name in ("train", "dev")}
    _check_items(config, rows["train"])
    task.learn(rows["train"].labels)
    torch.manual_seed(config.seed)
    model = going_on.load(method, task, source)
    known = {name for name, _ in model.named_parameters()}
    taken = method.positions(task)
    _check_room(method.name, taken, model, config.model.max_tokens)
    if task.generates and taken:
        _check_answers(method.name, taken, model, tokenizer, task.options.max_new_tokens)  # type: ignore[attr-defined]
    method.prepare(model)
    keep_frozen(model, config.fusion)
    if task.embeds:
        keep_head(model)
    regularisers.check(config.training, method, task, model)
    recompute.check(config.training, method, model)
    optim.check(config.training)
    device = choose_device()
    made = functools.partial(cached_tokens, tokenizer, cache=cache, quiet=quiet)
    splits = {
        name: Split(made(task.lessons(part.inputs, part.labels)), part.labels, part.inputs)
        for name, part in rows.items()
    }
    soft = train_probabilities(task, method, split, config.training)
    turns = going_on.turns(rows["train"], splits["train"].tokens, method)
    splits["train"] = replace(splits["train"], soft=soft, turns=turns)
    task.learn_tokens(splits["train"].tokens)
    sources = RunSources(
        task,
        config.data,
        split=split,
        dev=splits["dev"],
        seed=config.seed,
        tokenizer=tokenizer,
        workspace=place,
        base=root,
        cache=cache,
    )
    model, precision = moved(model, device=put_on or device), choose_precision(config.training.precision, device)
    tokens = functools.partial(cached_tokens, tokenizer, cache=cache)
    held = going_on.held(model, task, known=known, train=rows["train"], tokens=tokens)
    train = method.gather(splits["train"], task, sources)
    dev = method.gather_dev(splits["dev"], task, sources)
    if task.wants_negatives:
        logits = predict_logits(model, train.tokens, precision)
        train = replace(train, negatives=task.negatives(logits, train.tokens, train.labels))
    train = replace(train, packed=task.generates and not model.config.is_encoder_decoder)
    pretrained = {PRETRAINED: hash_json(deciding_hashes(source))}
    return Prepared(
        task=task,
        method=method,
        source=source,
        model=model,
        train=train,
        dev=dev,
        precision=precision,
        beside=pretrained | sources.hashes | going_on.hashes | _reading(knowledge),
        knowledge=knowledge,
        continual=going_on,
        held=held,
    )


def _source(config: RunConfig, snapshot: Snapshot, cache: Path, base: Path | None) -> Path:
    """The folder of the pretrained model, or of the encoders of all modalities as one."""
    if config.modalities == TEXT_ALONE:
        return resolve(config.model.source, base=base)
    return fused_source(config, snapshot.split("train"), folder=cache / "fused", base=base)


def _check_reads(config: RunConfig, tokenizer: Any) -> None:
    """A model that was made before, to go on from or to start from, reads what the rows are made of."""
    if sorted(found := read_by(tokenizer)) != sorted(config.modalities):
        raise ConfigError(
            t("modality is {given}, but the model reads {found}.", given=config.modality, found="+".join(found)),
            t("Set modality to what it reads, or take another model."),
        )


def _check_items(config: RunConfig, train: Examples) -> None:
    """Rows of several modalities are items: made of the columns that are named, or written down as such before."""
    if config.modalities != ("text",) and not all(map(is_item, train.texts)):
        raise ConfigError(
            t("modality is {given}, but the rows are texts.", given=config.modality),
            t("Name the columns with files and values: data.columns.image, audio or tabular."),
        )


def _reading(knowledge: Knowledge | None) -> dict[str, str]:
    """The hash of what is written behind texts, where something is."""
    return {"knowledge": knowledge.reading} if knowledge and knowledge.context else {}


def _check_augment(config: RunConfig, task: Task) -> None:
    """A perturbed text has the label of the text only where that is a matter of the whole text."""
    if config.data.augment.perturbations and (task.layout != "whole" or task.spans_in or task.generates):
        raise ConfigError(
            t("data.augment needs a label of each text as a whole, which task {task} does not have.", task=task.name),
            t("Leave data.augment.perturbations out."),
        )
    if config.data.augment.attack and task.problem_type != "single_label_classification":
        raise ConfigError(
            t("data.augment.attack needs one class for each text, which task {task} does not have.", task=task.name),
            t("Leave data.augment.attack out."),
        )


def _check_constraint(task: Task, tokenizer: Tokenizer) -> None:
    """A constraint that cannot be used is known before anything is trained."""
    if task.generates and task.options.constraint.given:  # type: ignore[attr-defined]
        from tuneloop.inference.constrained import compile_constraint

        compile_constraint(task.options.constraint, tokenizer)  # type: ignore[attr-defined,arg-type]


def _check_room(name: str, taken: int, model: PreTrainedModel, max_tokens: int) -> None:
    room = positions(model)
    widest = -(-max_tokens // WIDTH_STEP) * WIDTH_STEP
    if room and max_tokens > room:
        raise ConfigError(
            t("model.max_tokens is {given}, but the model reads {room} tokens.", given=max_tokens, room=room),
            t("Lower model.max_tokens."),
        )
    if taken and room and widest + taken > room:
        raise ConfigError(
            t(
                "{name} takes {taken} positions, and texts of {tokens} tokens take {widest}, but the model has {room}.",
                name=name,
                taken=taken,
                tokens=max_tokens,
                widest=widest,
                room=room,
            ),
            t("Lower method.length or model.max_tokens."),
        )


def _check_answers(name: str, taken: int, model: PreTrainedModel, tokenizer: Tokenizer, answer: int) -> None:
    """The longest prompt with the longest answer has places too: an answer is learnt shorter than it may be written."""
    room, prompt = positions(model), tokenizer.max_tokens - getattr(tokenizer, "answer_tokens", 0)
    if room and prompt + answer + taken > room:
        raise ConfigError(
            t(
                "{name} takes {taken} positions, a prompt {prompt} and an answer {answer}, but the model has {room}.",
                name=name,
                taken=taken,
                prompt=prompt,
                answer=answer,
                room=room,
            ),
            t("Lower method.length, model.max_tokens or task.max_new_tokens."),
        )
