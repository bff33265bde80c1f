"""Prompt learning with a verbaliser: the text becomes a sentence with a gap, and classes are the words in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.verbalizer import GapOptions, check_gap, load_asked, take_prior_away

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.methods.split import Split
    from tuneloop.tasks.base import Task


class PetOptions(GapOptions, FullOptions):
    """Options of prompt learning."""

    head_scale: float = Field(
        1.0, gt=0, description="Learning rate of the head relative to the model under it; here both are pretrained."
    )


class Pet(FullFineTuning):
    """Nothing is new in the model: the head that guesses words answers, so a few examples teach it much.

    Schick and Schütze, "Exploiting Cloze Questions for Few Shot Text Classification and Natural Language Inference"
    (2021), section 3.1, with one pattern; for a model that writes from left to right the gap is the end. It starts
    calibrated against the label prior. It is kept beside the pretrained model.
    """

    name = "pet"
    Options = PetOptions
    examples = {"template": "{text} {pair} {mask}"}  # noqa: RUF012
    options: PetOptions
    mergeable = False

    @property
    def template(self) -> str:
        return self.options.template

    def check(self, task: Task) -> None:
        check_gap(self.options, task, method=self.name)

    def load(self, folder: Path, task: Task, *, pooling: str, trust_remote_code: bool) -> PreTrainedModel:
        return load_asked(self.options, folder, task, trust_remote_code=trust_remote_code)

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        if self.options.calibrate:
            several = task.problem_type == "multi_label_classification"
            take_prior_away(model, train.tokens, precision, several=several)
