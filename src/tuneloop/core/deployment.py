"""What a release must prove and how it is served: the sections `audit`, `release` and `serve` of a configuration."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field, field_validator

from tuneloop.core.i18n import t
from tuneloop.core.options import Options

UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
"""Stretches of time for which a rate of requests is given, in seconds."""


class AuditConfig(Options):
    """What is audited, and what a release must not show."""

    audits: tuple[str, ...] = Field((), description="Which audits to run; all that go with the task by default.")
    rows: int = Field(300, ge=10, description="Test rows that an audit looks at, at most.")
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of audits by name, such as {robustness: {per_row: 2}}."
    )
    limits: dict[str, float] = Field(
        default_factory=dict,
        description="What figures may reach, such as {robustness.failures: 0.2}; beyond one there is no release.",
    )
    forbid: tuple[str, ...] = Field(
        (), description="Kinds of findings with which there is no release, such as leakage or shortcut."
    )

    @property
    def required(self) -> bool:
        """Whether a release must pass."""
        return bool(self.limits or self.forbid)

    def narrowed(
        self, only: tuple[str, ...] = (), rows: int | None = None, *, kinds: Collection[str] = ()
    ) -> AuditConfig:
        """With some of the audits, whose gate is their part of this one, and with another number of rows.

        Args:
            only: their names; all of this configuration by default.
            rows: test rows at most.
            kinds: of findings that these audits declare; of the forbidden ones no others are kept.
        """
        changes: dict[str, Any] = {} if rows is None else {"rows": rows}
        if only:
            limits = {name: limit for name, limit in self.limits.items() if name.partition(".")[0] in only}
            forbid = tuple(kind for kind in self.forbid if kind in kinds)
            changes |= {"audits": only, "limits": limits, "forbid": forbid}
        return self.model_copy(update=changes)


class AbstainConfig(Options):
    """When a release refuses to answer, and whether its answers come with sets of classes."""

    detector: Literal["none", "auto", "max_softmax", "energy", "mahalanobis", "neighbours"] = Field(
        "none", description="What tells texts that are unlike the model's own; auto takes the best on dev."
    )
    false_alarms: float = Field(0.05, gt=0, lt=1, description="Share of the model's own texts that may be refused.")
    outside: tuple[str, ...] = Field(
        (), description="For auto: scrambled, code, sample:NAME or files of foreign texts; those at hand by default."
    )
    coverage: float | None = Field(
        None, gt=0, lt=1, description="How often the set of classes must hold the right one, such as 0.9; no sets else."
    )

    @property
    def used(self) -> bool:
        """Whether a release has any of it."""
        return self.detector != "none" or self.coverage is not None


class ExitsConfig(Options):
    """Where a text may leave the model that is already sure of it, to save the layers above."""

    layers: tuple[int, ...] = Field(
        (), description="Behind which layers, from 1, such as [2, 4]; none by default. For classification and pair."
    )
    max_loss: float = Field(
        0.005, gt=0, lt=1, description="Accuracy that may be lost against the whole model; 0.005 = 0.5 points."
    )
    confidence: float = Field(0.9, ge=0.5, lt=1, description="Probability with which no more is lost.")
    data: str = Field(
        "", description="A file of labelled rows that were not learnt from, to choose by; the dev split by default."
    )


class ReleaseConfig(Options):
    """What a release holds and what it must prove."""

    forms: tuple[
        Literal["torch-bf16", "onnx-fp32", "onnx-int8", "onnx-int8-static", "openvino-bf16", "openvino-int8"], ...
    ] = Field(
        ("torch-bf16", "onnx-fp32", "onnx-int8", "openvino-bf16", "openvino-int8"),
        description="Inference forms to try beside the torch model; the fastest that passes answers. onnx-int8-static "
        "follows by itself where onnx-int8 is refused or its answers depend on their neighbours.",
    )
    max_loss: float = Field(
        0.003, ge=0, description="Loss of accuracy on dev (0.003 = 0.3 points) from which a form is refused."
    )
    max_batch_effect: float = Field(
        0.005,
        gt=0,
        description="Change of a probability through its neighbours in a batch; a form above it is never the default.",
    )
    abstain: AbstainConfig = Field(default_factory=AbstainConfig)  # type: ignore[arg-type]
    exits: ExitsConfig = Field(default_factory=ExitsConfig)  # type: ignore[arg-type]
    license: str = Field("", description="Licence of the release, for the model card (SPDX name).")
    limits: str = Field("", description="What the model must not be used for, for the model card.")


class ServeConfig(Options):
    """The HTTP server."""

    host: str = Field("127.0.0.1", description="Address to listen on; anything but localhost needs an API key.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_batch_tokens: int = Field(1024, ge=16, description="Padded tokens in one forward pass at most.")
    max_wait_ms: float = Field(2.0, ge=0, description="How long a request may wait for others to share its batch.")
    max_queue: int = Field(1024, ge=1, description="Texts that may wait; beyond that the answer is 429.")
    answer_cache_mb: float = Field(
        16.0, ge=0, description="MB of memory, at most, for answers that are kept for equal texts; 0 keeps none."
    )
    deadline_s: float = Field(10.0, gt=0, description="A request that waited longer is answered 504, not computed.")
    max_text_chars: int = Field(20_000, ge=1, description="A longer text is answered 413.")
    max_body_bytes: int = Field(1 << 20, ge=1024, description="A larger body is answered 413.")
    max_texts: int = Field(256, ge=1, description="Texts in one request at most.")
    writing_deadline_s: float = Field(
        120.0, gt=0, description="The same for a model that writes: an answer that is not finished by then is given up."
    )
    max_sequences: int = Field(8, ge=1, description="Answers that a model writes side by side at most.")
    max_cached_tokens: int = Field(
        8192, ge=16, description="Tokens of prompts and answers whose keys and values are held side by side at most."
    )
    max_waiting_tokens: int = Field(
        65_536, ge=1, description="Tokens of prompts that may wait; beyond that the answer is 429."
    )
    max_prefix_tokens: int = Field(
        4096, ge=0, description="Tokens of earlier prompts that are kept for prompts that begin alike; 0 keeps none."
    )
    max_answer_tokens: int = Field(1024, ge=1, description="Tokens of an answer that a request may ask for.")
    max_messages: int = Field(100, ge=1, description="Messages of a conversation at most.")
    adapters: tuple[str, ...] = Field(
        (), description="Further releases that answer who names them; LoRA kept apart from the same model."
    )
    rate: str = Field("", description="Requests of one client at most, such as 60/minute; beyond that 429.")
    refuse: str = Field("", description="A YAML file with rules by which requests are refused for what they say.")
    trail: Literal["off", "answers", "texts"] = Field(
        "off", description="What is kept of every answer: nothing; the answer; or texts too, without personal data."
    )

    @field_validator("rate")
    @classmethod
    def _known_rate(cls, rate: str) -> str:
        count, _, unit = rate.partition("/")
        if rate and not (re.fullmatch("[1-9][0-9]{0,5}", count) and unit in UNITS_S):
            raise ValueError(t("write a number and one of {units}, such as 60/minute", units=", ".join(UNITS_S)))
        return rate

    @field_validator("trail", mode="before")
    @classmethod
    def _off_is_no_truth_value(cls, value: Any) -> Any:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value
