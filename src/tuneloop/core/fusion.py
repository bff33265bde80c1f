"""What a row is made of beside text, and how encoders of several kinds become one model: `modality` and `fusion`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from tuneloop.core.i18n import t
from tuneloop.core.options import Options

if TYPE_CHECKING:
    from tuneloop.core.config import RunConfig

MODALITIES = ("text", "image", "audio", "tabular")
"""In the order in which they are named."""

TEXT_ALONE = ("text",)
"""What most models read."""

TASKS = ("classification", "multilabel", "regression", "retrieval")
"""Tasks that judge rows of other modalities than text."""

METHODS = ("auto", "full", "lora", "adalora", "ia3", "bitfit", "distill", "self_training", "probe")
"""Methods that train on rows of other modalities than text; all others read or write texts by themselves."""

FUSED = "tuneloop_fused"
"""`model_type` in the config.json of a fused model."""

SCRATCH = "scratch"
"""In place of a pretrained encoder: a small one that learns from nothing."""


class FusionConfig(Options):
    """Encoders beside the text's, which is model.source, and how they become one model."""

    type: Literal["late", "cross_attention"] = Field(
        "cross_attention",  # better on dev: python -m benchmarks.modalities
        description="late: what each modality says, added up; cross_attention: it looks at the others first.",
    )
    image: str = Field(
        "", description="The encoder of images (ViT, CLIP, ...): a folder, a hub id, pkg:PACKAGE/FOLDER, or scratch."
    )
    audio: str = Field(
        "", description="The encoder of sound (wav2vec2, HuBERT, Whisper, ...): as for images, or scratch."
    )
    frozen: tuple[Literal["text", "image", "audio"], ...] = Field(
        (), description="Encoders that stay as they came; only what is learnt from them moves."
    )
    dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of training rows of which a modality is hidden, so that none is needed; never all of a row.",
    )
    width: int = Field(256, ge=8, description="Width in which modalities meet.")
    layers: int = Field(2, ge=1, description="Layers of cross-attention.")
    heads: int = Field(4, ge=1, description="Heads of cross-attention; the width is a multiple of them.")
    image_size: int = Field(
        64, ge=8, le=1024, description="From scratch: side of the square that an image is fitted to, in pixels."
    )
    max_seconds: float = Field(10, gt=0, description="Longer sound is cut.")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> FusionConfig:
        if self.width % self.heads:
            raise ValueError(t("fusion.width is a multiple of fusion.heads"))
        return self


def modalities_of(value: str) -> tuple[str, ...]:
    """The parts of `modality`, such as text+image.

    Raises:
        ValueError: if one is unknown or stands there twice.
    """
    parts = tuple(part.strip() for part in value.split("+"))
    if not set(parts) <= set(MODALITIES) or len(set(parts)) < len(parts):
        raise ValueError(
            t(
                "modality is one of {known}, or several joined by +, not {given!r}",
                known=", ".join(MODALITIES),
                given=value,
            )
        )
    return tuple(name for name in MODALITIES if name in parts)


def read_by(model: Any) -> tuple[str, ...]:
    """The modalities that an open model reads: text alone, where it does not say."""
    return tuple(getattr(model, "modalities", TEXT_ALONE))


def check_modality(config: RunConfig) -> None:
    """Nothing, if modality, columns, encoders and task fit together.

    Raises:
        ValueError: if not.
    """
    names, columns, task = config.modalities, config.data.columns, config.task.type
    for name in ("image", "audio", "tabular"):
        if columns.mixed and bool(getattr(columns, name)) != (name in names):
            raise ValueError(
                t("modality is {given}: data.columns.{name} belongs to {name}", given=config.modality, name=name)
            )
    for name in ("image", "audio"):
        if name in names and not getattr(config.fusion, name):
            raise ValueError(t("modality {name} needs an encoder: set fusion.{name}", name=name))
    if names != TEXT_ALONE and task not in TASKS:
        raise ValueError(
            t("task {task} reads text alone; with modality {given} take one of {known}", task=task,
              given=config.modality, known=", ".join(TASKS))
        )  # fmt: skip
    if names != TEXT_ALONE and config.method.type not in METHODS:
        raise ValueError(
            t("method {method} reads text alone; with modality {given} take one of {known}", method=config.method.type,
              given=config.modality, known=", ".join(METHODS))
        )  # fmt: skip
    perturbed = config.data.augment.perturbations or config.update.gate.perturbations
    if names != TEXT_ALONE and (perturbed or config.knowledge.context):
        raise ValueError(
            t("modality is {given}: perturbations and knowledge.context are for texts alone", given=config.modality)
        )
    if names != TEXT_ALONE and task == "retrieval" and (len(names) < 2 or columns.pair):
        raise ValueError(
            t("retrieval with modality finds the other modalities of a row by its text: text+image, no pair")
        )


def as_items(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of rows that are no mere texts: duplicates are equal in all; without texts no column has them."""
    modality, data = given.get("modality", "text"), given.get("data")
    if modality == "text" or not isinstance(modality, str) or not isinstance(data, dict):
        return given
    clean, columns = data.get("clean", {}), data.get("columns", {})
    if isinstance(clean, dict):
        data = data | {"clean": {"duplicates": "exact"} | clean}
    files = isinstance(columns, dict) and any(columns.get(name) for name in ("image", "audio", "tabular"))
    if files and "text" not in modality.split("+"):
        data = data | {"columns": columns | {"text": ""}}
    return given | {"data": data}
