"""A GGUF file as an ordinary Hugging Face folder: unpacked once, kept in the user's cache."""

from __future__ import annotations

from pathlib import Path

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.fsio import new_dir
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.core.paths import cache_folder

SUFFIX = ".gguf"
DIGITS = 16
VERSION = 1
"""Goes into the folder's name, so that what an earlier way of unpacking has written is made again."""


def unpacked(file: Path) -> Path:
    """The Hugging Face folder of a GGUF file, made if it is not there: float32 safetensors, configuration, tokenizer.

    Quantised weights become the numbers that they stand for; nothing of them is lost, and nothing comes back.

    Raises:
        ModelError: if the file is damaged or of a kind that transformers does not know.
        MissingExtraError: if the package gguf is not installed.
    """
    folder = cache_folder() / "models" / f"{file.stem}-{hash_file(file)[:DIGITS]}-{VERSION}"
    if (folder / "config.json").is_file():
        return folder
    try:
        import gguf  # noqa: F401
    except ImportError:
        raise MissingExtraError("gguf", "generation") from None
    from tuneloop.models.load import quiet_transformers

    with quiet_transformers(), new_dir(folder) as staging:
        try:
            _unpack(file, staging)
        except Exception as error:  # a damaged file makes gguf, numpy and transformers raise many kinds
            raise ModelError(
                t("{path} cannot be unpacked: {reason}", path=file, reason=str(error).split("\n")[0]),
                t("The file may be damaged or of a kind that transformers does not read; give a safetensors model."),
            ) from error
    return folder


def _unpack(file: Path, target: Path) -> None:
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    model.hf_quantizer = None  # the weights are plain numbers now, which transformers would refuse to save
    model.config.__dict__.pop("quantization_config", None)
    model.is_quantized = False
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
