"""What a run leaves: the model as an ordinary Hugging Face folder, and an adapter as an ordinary PEFT folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tuneloop.core.fsio import new_dir, write_json, write_text
from tuneloop.knowledge.attach import FOLDER as KNOWLEDGE
from tuneloop.models.chat import PLAIN_TEMPLATE, TEMPLATE_FILE, chat_template, instructing
from tuneloop.models.item_tokenizer import FOLDER as MODALITIES
from tuneloop.models.load import APART, quiet_transformers
from tuneloop.models.pooling import mean_layer
from tuneloop.models.tokenizer import FILES
from tuneloop.training.continual.periods import keep_periods
from tuneloop.training.knowledge import keep_all

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tuneloop.core.config import RunConfig
    from tuneloop.methods.base import Adapter
    from tuneloop.training.prepare import Prepared

TOKENIZER_FILES = (*FILES, TEMPLATE_FILE)


def save_model(path: Path, model: PreTrainedModel, ready: Prepared, config: RunConfig, temperature: float) -> None:
    """Write the folder that transformers opens, with what tuneloop adds."""
    with new_dir(path, replace=True) as staging:
        if ready.method.mergeable:
            with quiet_transformers():
                model.save_pretrained(staging)
        else:
            _save_apart(staging, model, ready)
        adapters = config.continual.adapters and ready.past is not None
        periods = keep_periods(staging, ready, ready.past) if adapters else {}
        copy_tokenizer(ready.source, staging)
        if ready.task.generates and not model.config.is_encoder_decoder:
            _write_template(staging, ready.task.options.instruction)  # type: ignore[attr-defined]
        ready.method.keep(staging)
        if ready.knowledge is not None:
            keep_all(ready.knowledge, staging / KNOWLEDGE)
        write_json(
            staging / "tuneloop.json",
            {
                "task": {"type": config.task.type, "options": config.task.options},
                "state": ready.task.state,
                "max_tokens": config.model.max_tokens,
                "clean": config.data.clean.model_dump(include={"unicode", "fix_encoding", "control"}),
                "model_source": config.model.source,
                "trust_remote_code": config.model.trust_remote_code,
                "temperature": temperature,
                "method": config.method.model_dump(),
                "pooling": "cls" if mean_layer(model) is None else "mean",
                "template": ready.method.template,
                "apart": not ready.method.mergeable,
                "base_labels": ready.past.source_labels if ready.past and not ready.method.mergeable else [],
            }
            | periods,
        )


def _write_template(folder: Path, instruction: str) -> None:
    """The template that was tuned with, where the tokenizer's own would say something else."""
    known = chat_template(folder)
    if instruction:
        write_text(folder / TEMPLATE_FILE, instructing(known or PLAIN_TEMPLATE, instruction))
    elif not known:
        write_text(folder / TEMPLATE_FILE, PLAIN_TEMPLATE)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy whatever a model folder has of a tokenizer, and of what prepares images, sound and values."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            (target / name).write_bytes((source / name).read_bytes())
    if (source / MODALITIES).is_dir():
        shutil.copytree(source / MODALITIES, target / MODALITIES)


def _save_apart(folder: Path, model: PreTrainedModel, ready: Prepared) -> None:
    """The pretrained model as it came in `base/`, and all that was trained in one file beside it."""
    from safetensors.torch import save_file

    (folder / "base").mkdir()
    copy_tokenizer(ready.source, folder / "base")
    settings = [ready.source / name for name in ("config.json", "generation_config.json")]
    for file in [*filter(Path.is_file, settings), *sorted(ready.source.glob("*.safetensors*"))]:
        shutil.copyfile(file, folder / "base" / file.name)
    learnt = {name: value.detach().contiguous() for name, value in model.named_parameters() if value.requires_grad}
    save_file(learnt, folder / APART)


def save_adapter(path: Path, adapter: Adapter, model: PreTrainedModel, source: str) -> None:
    """Write the folder that `peft.PeftModel.from_pretrained` puts on the pretrained model.

    Args:
        model: merged and calibrated; the head is taken from it.
        source: where the pretrained model came from.
    """
    from safetensors.torch import save_file

    tensors = adapter.tensors | {
        f"base_model.model.{name}": value.detach().contiguous()
        for name, value in model.named_parameters()
        if name.removeprefix(f"{model.base_model_prefix}.").split(".")[0] in adapter.heads
    }
    with new_dir(path, replace=True) as staging:
        save_file(tensors, staging / "adapter_model.safetensors", metadata={"format": "pt"})
        write_json(staging / "adapter_config.json", adapter.config | {"base_model_name_or_path": source})
