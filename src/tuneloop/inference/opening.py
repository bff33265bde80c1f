"""A model folder that tuneloop wrote, opened as it was trained: merged, or an adapter on its pretrained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.config import MethodConfig, TaskConfig
from tuneloop.core.errors import ModelError
from tuneloop.core.i18n import t
from tuneloop.inference.cascade import is_cascade
from tuneloop.methods import create_method
from tuneloop.models.embedding import keep_head
from tuneloop.models.growing import grow
from tuneloop.models.load import APART, load_classifier, load_trained, writing_architecture
from tuneloop.models.quantized import moved
from tuneloop.models.router import Router
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.methods.base import Adapter, Method
    from tuneloop.models.tokenizer import Tokenizer
    from tuneloop.tasks.base import Task


ROUTER = "router.safetensors"
"""In a model folder with an adapter for each period, what chooses between them."""


def read_settings(folder: Path) -> dict[str, Any]:
    """What `tuneloop.json` in a model folder says.

    Raises:
        ModelError: if it is missing, damaged or incomplete.
    """
    path = folder / "tuneloop.json"
    if is_cascade(folder):
        raise ModelError(
            t("{folder} is a cascade of two models, and this looks into one.", folder=folder),
            t("Name one of the releases that it was made of; release.json has them under cascade."),
        )
    hint = t("Open a folder that tuneloop has written: a run's model/ or a release.")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        complete = {"task", "state", "max_tokens", "clean"} <= set(settings) and {"type", "options"} <= set(
            settings["task"]
        )
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(t("{path} cannot be read: {error}", path=path, error=error), hint) from None
    if not complete:
        raise ModelError(t("{path} does not name the task, its labels and how texts are cleaned.", path=path), hint)
    return settings  # type: ignore[no-any-return]


def open_model(folder: Path, *, dtype: torch.dtype) -> PreTrainedModel:
    """The torch model in a folder with `tuneloop.json`, ready to answer.

    Raises:
        ModelError: if it is damaged, or wants to run code that was not trusted when it was trained.
    """
    settings = read_settings(folder)
    trust = bool(settings.get("trust_remote_code"))
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    if not settings.get("apart"):
        kind = writing_architecture(folder) if task.generates else task.architecture
        whole = load_trained(folder, architecture=kind, dtype=dtype, trust_remote_code=trust)
        return whole.requires_grad_(False)  # type: ignore[return-value]
    if settings.get("periods"):
        return _open_periods(folder, settings, task, dtype=dtype)
    model, _ = _open_apart(folder, settings, task)
    return _answering(model, dtype)


def open_adapter(folder: Path) -> tuple[PreTrainedModel, Adapter | None]:
    """The model in a folder that keeps what was learnt beside its pretrained model, and that as PEFT has it, if it can.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    settings = read_settings(folder)
    task = create_task(TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), settings["state"])
    model, method = _open_apart(folder, settings, task)
    return model, method.adapter(model)


def load_on(base: Path, method: Method, task: Task, settings: dict[str, Any]) -> PreTrainedModel:
    """What a method that keeps its part apart starts from, in float32: drawn from torch's global generator.

    Args:
        base: the folder of the frozen model.
        settings: `pooling`, `trust_remote_code` and, where that model has been tuned, its classes as `base_labels`,
            which stay the first ones.
    """
    known = settings.get("base_labels") or []
    first = type(task)(task.options, {"labels": known}) if known else task
    trust = bool(settings.get("trust_remote_code"))
    model = method.load(base, first, pooling=settings["pooling"], trust_remote_code=trust)
    if known and task.outputs > first.outputs:
        grow(model, task)
    return model


def open_base(folder: Path, settings: dict[str, Any]) -> PreTrainedModel:
    """The frozen model in a folder with `periods`, or in that of a tuned one, as it answers alone, in float32."""
    import torch

    apart = bool(settings.get("apart"))
    known = settings.get("base_labels") if apart else settings["state"]["labels"]
    task = create_task(
        TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), {"labels": known or ["a", "b"]}
    )
    place, trust = folder / "base" if apart else folder, bool(settings.get("trust_remote_code"))
    if known:
        model = load_trained(place, architecture=task.architecture, dtype=torch.float32, trust_remote_code=trust)
    else:  # only its states are asked for
        model = load_classifier(place, task, trust_remote_code=trust)
    return _answering(model, torch.float32)


def _answering(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    return moved(model.requires_grad_(False).train(False), dtype=dtype)


def _open_periods(folder: Path, settings: dict[str, Any], task: Task, *, dtype: torch.dtype) -> PreTrainedModel:
    """The frozen model, what answers in each period, and what routes texts between them."""
    from tuneloop.models.routed import Routed

    base = moved(open_base(folder, settings), dtype=dtype)
    models = []
    for number, period in enumerate(settings["periods"], start=1):
        own = create_task(
            TaskConfig(type=settings["task"]["type"], **settings["task"]["options"]), {"labels": period["labels"]}
        )
        if period["method"] is None:
            models.append(base)
        else:
            model, _ = _open_apart(folder, settings | period, own, period_file(folder, number))
            models.append(_answering(model, dtype))
    newest, _ = _open_apart(folder, settings, task)
    return Routed(base, [*models, _answering(newest, dtype)], Router.read(folder / ROUTER))  # type: ignore[return-value]


def period_file(folder: Path, number: int) -> Path:
    """What period `number`, from 1, has learnt; that of the newest stands where any part that is kept apart does."""
    return folder / "periods" / f"{number}.safetensors"


def _open_apart(
    folder: Path, settings: dict[str, Any], task: Task, learnt: Path | None = None
) -> tuple[PreTrainedModel, Any]:
    """The model, which could be trained further, and the method that changed it."""
    method = create_method(MethodConfig(**settings["method"]))
    model = load_on(folder / "base", method, task, settings)
    method.prepare(model)
    if task.embeds:
        keep_head(model)
    _put(model, learnt or folder / APART)
    return model, method


def open_tokenizer(folder: Path, task: Task, settings: dict[str, Any]) -> Tokenizer:
    """What turns inputs into what the model in a folder reads; `settings` is its `tuneloop.json`.

    Raises:
        ModelError: if a file of it is missing or damaged.
    """
    max_tokens = int(settings["max_tokens"])
    if settings.get("apart"):  # only then may a method read in a way of its own
        return create_method(MethodConfig(**settings["method"])).tokenizer(folder, task, max_tokens)
    return task.tokenizer(folder, max_tokens, settings.get("template", ""))


def _put(model: PreTrainedModel, path: Path) -> None:
    """Give the trained weights of the model the values in `path`."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    try:
        learnt = load_file(path)
        with torch.no_grad():
            for name, value in trained.items():
                value.copy_(learnt.pop(name))
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(
            t("{path} cannot be read: {error}", path=path, error=error),
            t("Open a folder that tuneloop has written: a run's model/ or a release."),
        ) from error
    if learnt:
        raise ModelError(
            t("{path} holds weights that the model has no place for: {names}.", path=path, names=", ".join(learnt)),
            t("Open a folder that tuneloop has written: a run's model/ or a release."),
        )
