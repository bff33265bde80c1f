"""Distillation: a smaller model learns to answer as a larger one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.methods.base import check_whole
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.methods.split import Split
from tuneloop.models.pooling import mean_layer, own_layers

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import IntArray, Sources
    from tuneloop.tasks.base import Task


class DistillOptions(FullOptions):
    """Options of distillation."""

    teacher: str = Field(description="Who is learnt from: a release (mood-1), the id of a run, or a model folder.")
    layers: int = Field(0, ge=0, description="Layers of the pretrained model that the student keeps; 0 keeps all.")
    pick: Literal["even", "first"] = Field(
        "even", description="Which layers are kept: evenly spaced from the first to the last, or the first ones."
    )
    temperature: float = Field(2.0, gt=0, description="The teacher's and the student's logits are divided by this.")
    alpha: float = Field(
        0.5, ge=0, le=1, description="Share of the teacher's answers in the loss; labels have the rest."
    )
    texts: str = Field("", description="A file of more texts without labels, or sample:NAME; empty for none.")


class Distill(FullFineTuning):
    """(1 - alpha) x loss on the labels + alpha x T^2 x KL(teacher / T || student / T).

    Hinton et al., "Distilling the Knowledge in a Neural Network" (2015), section 2. `Task.divergence` says what KL is
    for each task; for regression it is the squared difference, whatever T. The teacher answers every text once, before
    training. A text without a label has the teacher's answer as its label.
    """

    name = "distill"
    learns_probabilities = False
    Options = DistillOptions
    examples = {"teacher": "some-1"}  # noqa: RUF012
    options: DistillOptions

    def check(self, task: Task) -> None:
        check_whole(task, method=self.name)

    def prepare(self, model: PreTrainedModel) -> None:
        if self.options.layers:
            self._cut(model)
        super().prepare(model)

    def gather(self, train: Split, task: Task, sources: Sources) -> Split:
        extra = sources.unlabelled(self.options.texts) if self.options.texts else []
        logits = sources.teacher(self.options.teacher, [*sources.inputs, *extra])
        answers = task.decide(task.scores(task.unscale(logits[len(train.labels) :])))
        tokens = train.tokens.followed_by(sources.tokens(extra)) if extra else train.tokens
        return Split(tokens, [*train.labels, *answers], teacher=logits)

    def begin(
        self, model: PreTrainedModel, task: Task, train: Split, *, total: int, per_epoch: int, precision: str
    ) -> None:
        import torch

        self._teacher = torch.from_numpy(train.teacher).to(model.device)

    def loss(
        self,
        model: PreTrainedModel,
        task: Task,
        batch: dict[str, torch.Tensor],
        targets: torch.Tensor,
        rows: IntArray,
    ) -> torch.Tensor:
        logits, teacher = model(**batch).logits.float(), self._teacher[rows]
        share, warm = self.options.alpha, self.options.temperature
        soft = warm**2 * task.divergence(teacher / warm, logits / warm)
        return (1 - share) * task.loss(logits, targets) + share * soft

    def _cut(self, model: PreTrainedModel) -> None:
        """Leave only the chosen transformer layers, and the one that takes the mean, if there is one."""
        import torch

        layers, pooling, wanted = own_layers(model), mean_layer(model), self.options.layers
        if not layers or wanted > len(layers):
            raise ModelError(
                t("The student cannot have {wanted} layers: none can be cut, or the model has fewer.", wanted=wanted),
                t("Set method.layers to 0 and choose a smaller model.source, or one built like BERT."),
            )
        spaced = np.linspace(0, len(layers) - 1, wanted).round().astype(int).tolist()
        kept = [layers[number] for number in (spaced if self.options.pick == "even" else range(wanted))]
        kept += [] if pooling is None else [pooling]
        encoder: Any = model.base_model.encoder
        encoder.layer = torch.nn.ModuleList(kept)
        model.config.num_hidden_layers = len(kept)
