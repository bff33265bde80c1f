"""A model that tells whether a text entails a sentence, as one number for each pair of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.models.load import head_of, load_answering

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ENTAILS = ("entail",)
CONTRADICTS = ("contra", "not_entail", "not entail", "non_entail", "non-entail", "not-entail")
"""What the names of these classes begin with, in small letters."""


def load_entailment(
    folder: Path, *, named: str = "", against: bool = False, trust_remote_code: bool = False
) -> PreTrainedModel:
    """The classifier in `folder`, made for natural language inference, with the logit of entailment alone, float32.

    Args:
        named: what the model calls entailment, or how that begins; a name that begins with entail by default.
        against: less the logit of contradiction, so that its sigmoid is the probability of entailment of the two.

    Raises:
        ModelError: if the folder cannot be read, its head was never trained, or it does not name the classes.
    """
    model, new_head = load_answering(folder, trust_remote_code=trust_remote_code)
    names = {int(number): str(name) for number, name in model.config.id2label.items()}
    if new_head:
        raise ModelError(
            t("The model in {folder} was not trained to judge: its head is missing.", folder=folder),
            t("Choose a model trained for natural language inference, or method.by: similarity."),
        )
    exact = [number for number, name in names.items() if name.lower() == named.lower()]
    head, yes = head_of(model), exact[0] if exact else _number(names, folder, (named.lower(),) if named else ENTAILS)
    rows = [yes, _other(names, yes, folder)] if against else [yes]
    _replace(model, head, _difference(head, rows))
    model.config.num_labels = model.num_labels = 1
    return model


def _number(names: Mapping[int, str], folder: Path, beginnings: tuple[str, ...]) -> int:
    """The one class whose name begins so."""
    found = [number for number, name in names.items() if name.lower().startswith(beginnings)]
    if len(found) != 1:
        raise ModelError(
            t(
                "The model in {folder} has {count} classes called {wanted}...: {known}.",
                folder=folder,
                count=len(found),
                wanted=beginnings[0],
                known=", ".join(names.values()),
            ),
            t("Choose a model trained for natural language inference, or name its class in method.entailment."),
        )
    return found[0]


def _other(names: Mapping[int, str], yes: int, folder: Path) -> int:
    """The class that says that a sentence is false."""
    others = {number: name for number, name in names.items() if number != yes}
    return next(iter(others)) if len(others) == 1 else _number(others, folder, CONTRADICTS)


def _difference(head: torch.nn.Linear, rows: list[int]) -> torch.nn.Linear:
    """A layer with one output: the first of these outputs of another layer, less the second if there is one."""
    import torch

    signs = torch.tensor([1.0, -1.0])[: len(rows)]
    made = torch.nn.Linear(head.in_features, 1, bias=head.bias is not None)
    with torch.no_grad():
        made.weight[0] = signs @ head.weight[rows]
        if head.bias is not None:
            made.bias[0] = signs @ head.bias[rows]
    return made


def _replace(model: PreTrainedModel, old: torch.nn.Module, new: torch.nn.Module) -> None:
    name = next(name for name, module in model.named_modules() if module is old)
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
