"""Which method to take, from the number of labels, the task, the size of the model and the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.core.machine import GIB
from tuneloop.methods.base import Method

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.tasks.base import Task

FEW_LABELS = 100
"""Labels of a class below which contrastive learning is taken."""

MANY_PARAMETERS = 300_000_000

BYTES_PER_WEIGHT = 20
"""What training a weight takes in fp32: itself, its gradient, two moments of Adam, its running average."""

MEMORY_SHARE = 0.5
"""Share of the memory that weights and all that belongs to them may take; texts in a batch need the rest."""


@dataclass(frozen=True)
class Case:
    """What the choice is made from.

    Args:
        task: with its labels.
        labelled: training texts with a label.
        parameters: of the pretrained model.
        memory_bytes: of the GPU where there is one, else of the machine.
        texts_alone: whether rows are made of nothing else.
    """

    task: Task
    labelled: int
    parameters: int
    memory_bytes: int
    texts_alone: bool = True

    @property
    def per_class(self) -> float:
        """Labels of each class, on average."""
        return self.labelled / max(1, len(self.task.labels))

    @property
    def needed_bytes(self) -> int:
        """What it takes to train every weight."""
        return BYTES_PER_WEIGHT * self.parameters

    @property
    def millions(self) -> str:
        """Parameters in millions, with two digits where they are few."""
        count = self.parameters / 1e6
        return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


@dataclass(frozen=True)
class Rule:
    """A method, the cases that it is for, and why, in one sentence."""

    method: str
    holds: Callable[[Case], bool]
    why: Callable[[Case], str]


RULES = (
    Rule(
        "zero_shot",
        lambda case: case.labelled == 0,
        lambda case: t("Method zero_shot: no training text has a label, so the names of the classes have to do."),
    ),
    # macro-F1 of MiniLM on three-class sentiment, contrastive and full fine-tuning: 0.541 and 0.509 with 8 labels of a
    # class, 0.567 and 0.506 with 16, 0.614 and 0.591 with 32, 0.683 and 0.682 with 128 (quality/auto.json)
    Rule(
        "contrastive",
        lambda case: (
            case.texts_alone
            and case.task.problem_type == "single_label_classification"
            and 0 < case.per_class < FEW_LABELS
        ),
        lambda case: t(
            "Method contrastive: with {count:.0f} labels for each class, pairs of texts give it more steps than the "
            "texts themselves would.",
            count=case.per_class,
        ),
    ),
    # where both fit, the two differ by chance: full 0.7714, lora 0.7718 with 4,000 labels (adapter 0.767, tfidf 0.679)
    Rule(
        "lora",
        lambda case: case.labelled > 0 and case.task.generates,
        lambda case: t(
            "Method lora: a model that writes keeps what it knows, and small additions learn how to answer."
        ),
    ),
    Rule(
        "lora",
        lambda case: case.labelled > 0 and case.parameters > MANY_PARAMETERS,
        lambda case: t(
            "Method lora: the model has {count} million parameters, of which only small additions are trained.",
            count=case.millions,
        ),
    ),
    Rule(
        "lora",
        lambda case: case.labelled > 0 and case.needed_bytes > MEMORY_SHARE * case.memory_bytes,
        lambda case: t(
            "Method lora: training every weight would take {needed:.1f} GiB and the texts of a batch, of {memory:.1f} "
            "GiB of memory.",
            needed=case.needed_bytes / GIB,
            memory=case.memory_bytes / GIB,
        ),
    ),
    Rule(
        "full",
        lambda case: case.labelled > 0,
        lambda case: t(
            "Method full: the model, with {count} million weights, is small enough for this machine to train all of it "
            "on {texts} texts.",
            texts=case.labelled,
            count=case.millions,
        ),
    ),
)
"""The first one that holds, and whose method suits the task, is taken."""


class Auto(Method):
    """The method that suits the labels, the task, the model and the machine; it takes this one's place in a run.

    The run's config.yaml has that method, and that `auto` was asked for; run.json says why it was taken.
    """

    name = "auto"
    writes = True

    def prepare(self, model: PreTrainedModel) -> None:
        raise NotImplementedError("auto is replaced by the method it chooses before a model is loaded")


def choose(case: Case) -> tuple[str, str]:
    """The name of a method, and why it is the one.

    Raises:
        ConfigError: if none can be trained.
    """
    for rule in RULES:
        if rule.holds(case) and _suits(rule.method, case.task):
            return rule.method, rule.why(case)
    raise ConfigError(
        t("No training text has a label, and task {task} cannot do without.", task=case.task.name),
        t("Label some texts first."),
    )


def _suits(name: str, task: Task) -> bool:
    from tuneloop.core.config import MethodConfig
    from tuneloop.methods import create_method

    return not create_method(MethodConfig(type=name)).refusal(task)
