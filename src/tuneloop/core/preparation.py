"""What is done to texts before they are learnt: the settings data.clean and data.augment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tuneloop.core.options import Options


class CleanConfig(Options):
    """What is mended before anything is learnt. The original file is never changed."""

    unicode: Literal["NFC", "NFKC", "none"] = Field("NFC", description="Unicode normal form of every text.")
    fix_encoding: bool = Field(True, description="Mend broken encodings such as 'Ã©' for 'é' (ftfy).")
    control: bool = Field(True, description="Drop control characters except tab and line break.")
    duplicates: Literal["near", "exact", "keep"] = Field(
        "near", description="near: also remove texts that are almost equal; exact; or keep them all."
    )
    near_threshold: float = Field(
        0.9, ge=0.7, le=1, description="Jaccard similarity of five-character runs from which texts are near-duplicates."
    )
    conflicts: Literal["drop", "first", "error"] = Field(
        "drop", description="The same text with different labels: drop all of them, keep the first, or stop."
    )


class AugmentConfig(Options):
    """Perturbed copies of training rows; dev and test never have any."""

    perturbations: tuple[str, ...] = Field(
        (), description="Which perturbations: those that the audit robustness found to break answers; none by default."
    )
    share: float = Field(1.0, gt=0, le=10, description="Copies for each training row; 0.5 copies every other row.")
    together: int = Field(1, ge=1, le=10, description="Perturbations that are laid on one copy, where they change it.")
    attack: tuple[str, ...] = Field(
        (),
        description="Releases or runs whose weak spots on training rows are searched for, with those perturbations "
        "that change single words; what the search made of a row is a copy too.",
    )
    words: float = Field(
        0.3, gt=0, le=1, description="Share of words or characters that a perturbation of single ones changes."
    )

    @field_validator("attack", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value
