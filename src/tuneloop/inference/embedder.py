"""A text as a vector: what an index of documents compares questions and passages by."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.config import TaskConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json
from tuneloop.core.i18n import t
from tuneloop.knowledge.attach import FOLDER as KNOWLEDGE
from tuneloop.models.source import deciding_files, deciding_hashes
from tuneloop.tasks import create_task

if TYPE_CHECKING:
    from tuneloop.models.tokenizer import Tokenizer

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

FEW = 8
MAX_TOKENS = 256
"""Of a text, with a model that says nothing of its own: what sentence encoders were taught with."""

BESIDE = (
    *("**/*.safetensors.index.json", "**/tokenizer_config.json", "**/special_tokens_map.json", "modules.json"),
    *("README.md", "LICENSE*", "NOTICE*"),
)
"""What else belongs to a model that is copied: how its files are read, and on what terms."""


class SentenceEmbedder:
    """Texts to vectors of length 1; equal texts are computed once.

    Args:
        identity: names the weights and settings that the vectors depend on.
        vectors: texts to vectors of any length, (n, dimensions).
        tokenizer: of the model.
    """

    def __init__(self, identity: str, vectors: Callable[[Sequence[str]], FloatArray], *, tokenizer: Tokenizer) -> None:
        self.identity, self._vectors, self._tokenizer = identity, vectors, tokenizer

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of length 1, float32, (n, dimensions), in order."""
        numbers: dict[str, int] = {}
        rows = [numbers.setdefault(text, len(numbers)) for text in texts]
        found = self._vectors(list(numbers))
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        unit: FloatArray = (found / np.maximum(lengths, 1e-12)).astype(np.float32)
        return unit[rows]

    def lengths(self, texts: Sequence[str]) -> Any:
        """Tokens that are read of each text, int64, (n,)."""
        return self._tokenizer.encode(texts).lengths

    def known(self, text: str) -> float:
        """The share of a text's tokens that are not read as "unknown", 0 to 1; those of every text do not count."""
        tokens, frame = (self._tokenizer.encode([each]).ids for each in (text, ""))
        own = len(tokens) - len(frame)
        return 1 - int((tokens == self._tokenizer.unknown_id).sum()) / own if own > 0 else 0.0


def open_embedder(folder: Path, *, engine: str | None = None) -> SentenceEmbedder:
    """The embedder of a pretrained sentence encoder, or of a model that was tuned for retrieval or similarity.

    Args:
        folder: a Hugging Face folder.
        engine: of a tuned model, one of `ENGINES`.

    Raises:
        ConfigError: if the model was tuned for a task that has no vectors.
        ModelError: if it cannot be opened, or does not give a text's vector.
    """
    tuned = (folder / "tuneloop.json").is_file()
    vectors, tokenizer = _of_tuned(folder, engine) if tuned else _of_pretrained(folder)
    return SentenceEmbedder(identity_of(folder), vectors, tokenizer=tokenizer)


def identity_of(folder: Path) -> str:
    """A hash of all that the vectors of the model in a folder depend on."""
    return hash_json([MAX_TOKENS, deciding_hashes(folder)])


def copy_embedder(folder: Path, target: Path) -> None:
    """Copy what `open_embedder` reads of a folder, under the same paths, so that the copy has the same identity.

    Forms of a release for other engines stay behind: the copy answers wherever torch does.
    """
    behind_texts = filter(Path.is_file, (folder / KNOWLEDGE).glob("*"))  # a tuned model may read it
    for path in [*deciding_files(folder, *BESIDE).values(), *behind_texts]:
        place = target / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _of_tuned(folder: Path, engine: str | None) -> tuple[Callable[[Sequence[str]], FloatArray], Tokenizer]:
    from tuneloop.inference.predictor import open_predictor

    predictor = open_predictor(folder, engine=engine or "torch-fp32")
    if not predictor.task.embeds:
        raise ConfigError(
            t("The model {name} was tuned for {task}, which gives no vectors.", name=folder.name,
              task=predictor.task.name),
            t("Give one that was tuned for retrieval or similarity, or a sentence encoder."),
        )  # fmt: skip
    return predictor.logits, predictor.tokenizer


def _of_pretrained(folder: Path) -> tuple[Callable[[Sequence[str]], FloatArray], Tokenizer]:
    from tuneloop.inference.many_texts import ManyTexts
    from tuneloop.models.device import choose_device
    from tuneloop.models.forward import positions, predict_logits
    from tuneloop.models.load import load_classifier
    from tuneloop.models.tokenizer import Tokenizer

    model = load_classifier(folder, create_task(TaskConfig(type="retrieval"), {}), pooling="auto")
    model = model.to(choose_device()).requires_grad_(False).train(False)  # type: ignore[arg-type]
    tokenizer = Tokenizer(folder, min(MAX_TOKENS, positions(model) or MAX_TOKENS))
    many = ManyTexts(model)

    def vectors(texts: Sequence[str]) -> FloatArray:
        # rounded to bytes, vectors do not show bf16; a question alone is no slower in fp32
        tokens = tokenizer.encode(texts)
        return many(tokens) if len(texts) > FEW else predict_logits(model, tokens, "fp32")

    return vectors, tokenizer
