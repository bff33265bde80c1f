"""A model folder without tokenizer.json: that file made of what it has, such as spiece.model, and kept in the cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneloop.core.errors import MissingExtraError, ModelError
from tuneloop.core.fsio import new_dir
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.i18n import t
from tuneloop.models import gguf

FILE = "tokenizer.json"
SENTENCEPIECE = "*.model"
VOCABULARIES = (SENTENCEPIECE, "vocab.json", "vocab.txt", "merges.txt")
SETTINGS = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")

SAMPLE = "the cat sat on 12 mats 你好 🧪"
"""Text that shows how a tokenizer treats the first word, and what it does not know."""

VERSION = 1
"""Goes into the folder's name, so that what an earlier way of making has written is made again."""


def with_tokenizer(folder: Path) -> Path:
    """The folder itself, or one of links to its files that has a tokenizer.json made of them, where it has none.

    Nothing is written into the folder: it may be shared, or belong to a package.

    Raises:
        MissingExtraError: if sentencepiece is needed and not installed.
        ModelError: if transformers makes no tokenizer of the files, or one that reads texts in another way.
    """
    sources = [path for pattern in VOCABULARIES for path in sorted(folder.glob(pattern))]
    if (folder / FILE).is_file() or not sources:
        return folder
    read = [*sources, *(folder / name for name in SETTINGS if (folder / name).is_file())]
    links = [path for pattern in ("*", "*/*") for path in sorted(folder.glob(pattern)) if _is_linked(path, folder)]
    names = [path.relative_to(folder).as_posix() for path in links]
    key = hash_json([VERSION, str(folder.resolve()), names, {path.name: hash_file(path) for path in read}])
    made = gguf.cache_folder() / "models" / f"{folder.name}-{key[: gguf.DIGITS]}"
    if (made / FILE).is_file():
        return made
    tokenizer = _tokenizer(folder, sources)
    with new_dir(made, replace=True) as staging:
        tokenizer.save_pretrained(staging)
        for name, path in zip(names, links, strict=True):
            if not (staging / name).exists():
                (staging / name).parent.mkdir(exist_ok=True)
                (staging / name).symlink_to(path.absolute())
    return made


def _is_linked(path: Path, folder: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _tokenizer(folder: Path, sources: list[Path]) -> Any:
    """The fast tokenizer that transformers makes of the files; the code of a model is never run for it."""
    from transformers import AutoTokenizer

    from tuneloop.models.load import quiet_transformers

    pieces = [path for path in sources if path.match(SENTENCEPIECE)]
    if pieces:
        _need_sentencepiece()
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (
        Exception
    ) as error:  # what transformers and its converters raise for files that they cannot use is of any kind
        raise _no_tokenizer(folder, str(error).split("\n")[0]) from error
    if not tokenizer.is_fast:
        raise _no_tokenizer(folder, t("transformers has no fast form of {kind}", kind=type(tokenizer).__name__))
    needed = {name for kind, name in tokenizer.vocab_files_names.items() if kind != "tokenizer_file"}
    if pieces:
        _check_pieces(folder, tokenizer, next((path for path in pieces if path.name in needed), pieces[0]))
    elif missing := sorted(name for name in needed if not (folder / name).is_file()):
        raise _no_tokenizer(folder, t("{files} is missing", files=", ".join(missing)))  # it would know no words
    return tokenizer


def _check_pieces(folder: Path, tokenizer: Any, file: Path) -> None:
    """Refuse a tokenizer that cuts a text otherwise than its own file does: the model would read what it never saw.

    Without tokenizer_config.json transformers takes a class that may not fit, and says nothing.
    """
    from sentencepiece import SentencePieceProcessor

    own = SentencePieceProcessor(model_file=str(file))
    unknown = tokenizer.unk_token
    expected = [unknown if own.is_unknown(number) else own.id_to_piece(number) for number in own.encode(SAMPLE)]
    found = tokenizer.convert_ids_to_tokens(tokenizer(SAMPLE, add_special_tokens=False)["input_ids"])
    if found != expected:
        raise _no_tokenizer(
            folder, t("{kind} cuts texts otherwise than {file}", kind=type(tokenizer).__name__, file=file.name)
        )


def _need_sentencepiece() -> None:
    try:
        import sentencepiece  # noqa: F401
    except ImportError:
        raise MissingExtraError("sentencepiece", "sentencepiece") from None


def _no_tokenizer(folder: Path, reason: str) -> ModelError:
    return ModelError(
        t("No tokenizer can be made of the files in {folder}: {reason}.", folder=folder, reason=reason.rstrip(".")),
        t("Add tokenizer.json, or name tokenizer_class in tokenizer_config.json as its authors do."),
    )
