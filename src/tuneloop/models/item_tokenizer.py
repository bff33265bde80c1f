"""Items of several modalities as what a fused model reads: tokens of the text, and beside them pixels, sound, values.

What the model was made for lies in `modalities/` of its folder: `modalities.json`, and the settings of each processor
as transformers writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError, ModelError
from tuneloop.core.hashing import hash_file, hash_json
from tuneloop.core.i18n import t
from tuneloop.data.examples import Input
from tuneloop.data.tokens import Tokens
from tuneloop.media import store
from tuneloop.media.decode import image_of, sound_of
from tuneloop.media.items import parse

if TYPE_CHECKING:
    from tuneloop.models.tokenizer import Tokenizer

    Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]
    IntArray = np.ndarray[Any, np.dtype[np.int64]]

FOLDER = "modalities"
SETTINGS = "modalities.json"

FARTHEST = 1e6
"""Deviations from the mean at which a number is cut, so that no answer overflows."""


@dataclass(frozen=True)
class Columns:
    """The columns that a model reads, as train had them.

    Args:
        numbers: mean and standard deviation of each column of numbers.
        names: the names in each other column, in order; 0 stands for any other.
    """

    numbers: dict[str, tuple[float, float]]
    names: dict[str, list[str]]

    @classmethod
    def learnt(cls, rows: Sequence[dict[str, Any]], columns: Sequence[str], *, most_names: int = 200) -> Columns:
        """From the training rows: a column is one of numbers if all that stands in it are such.

        Args:
            most_names: names that have a vector of their own, the most frequent ones.
        """
        numbers, names = {}, {}
        for column in columns:
            values = [row["tabular"][column] for row in rows if column in row.get("tabular", {})]
            read = [number_of(value) for value in values]
            if values and not any(map(math.isnan, read)):
                numbers[column] = (float(np.mean(read)), float(np.std(read)) or 1.0)
            else:
                counts = {value: values.count(value) for value in dict.fromkeys(values)}
                names[column] = sorted(sorted(counts, key=lambda value: (-counts[value], value))[:most_names])
        return cls(numbers, names)

    def arrays(self, rows: Sequence[dict[str, Any]]) -> Arrays:
        """`numbers`, float32, with mean 0 and deviation 1 in train, not a number where missing; and `names`, int64."""
        given = [row.get("tabular", {}) for row in rows]
        numbers = [
            [(number_of(each.get(name)) - mean) / deviation for name, (mean, deviation) in self.numbers.items()]
            for each in given
        ]
        places = {name: {value: place for place, value in enumerate(known, 1)} for name, known in self.names.items()}
        names = [[places[name].get(each.get(name, ""), 0) for name in self.names] for each in given]
        return {
            "numbers": np.array(numbers)
            .clip(-FARTHEST, FARTHEST)
            .astype(np.float32)
            .reshape(len(rows), len(self.numbers)),
            "names": np.array(names, np.int64).reshape(len(rows), len(self.names)),
        }


class Reader:
    """What turns items into arrays, from the folder of a fused model.

    Raises:
        ModelError: if the folder's settings cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.stores = folder / FOLDER, store.stores_above(folder)
        path = self._folder / SETTINGS
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            self.modalities: list[str] = plain["modalities"]
            self.columns = Columns({key: (mean, by) for key, (mean, by) in plain["numbers"].items()}, plain["names"])
            self.max_seconds, self.tokens = float(plain["max_seconds"]), dict(plain["tokens"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(t("{path} cannot be read: {error}", path=path, error=error)) from None

    @property
    def identity(self) -> str:
        """A hash of all that determines the arrays."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        return hash_json({path.relative_to(self._folder).as_posix(): hash_file(path) for path in files})

    def sizes(self, rows: Sequence[dict[str, Any]]) -> IntArray:
        """Tokens that encoders make of what a row has beside its text, (n,)."""
        kinds = [name for name in self.modalities if name != "text"]
        return np.array([sum(self.tokens.get(name, 1) for name in kinds if name in row) for row in rows], np.int64)

    def arrays(self, rows: Sequence[dict[str, Any]]) -> Arrays:
        """`present`, and pixels and sound of the rows that have them: see `models.fused`.

        Raises:
            DataError: if a file is not there or cannot be decoded.
        """
        found: Arrays = {"present": np.array([[name in row for name in self.modalities] for row in rows], np.int64)}
        images = [self._image(row["image"]) for row in rows if "image" in row and "image" in self.modalities]
        if images:
            found["pixel_values"] = np.stack(images)
        sounds = [self._sound(row["audio"]) for row in rows if "audio" in row and "audio" in self.modalities]
        if sounds:
            found |= self._heard(sounds)
        return found | (self.columns.arrays(rows) if "tabular" in self.modalities else {})

    def check(self, rows: Sequence[dict[str, Any]]) -> None:
        """Nothing, if every row has something that the model reads, or nothing at all, as explanations ask for it.

        Raises:
            DataError: if one has other things only.
        """
        for number, row in enumerate(rows, start=1):
            if row and not set(row) & set(self.modalities):
                raise DataError(
                    t("Item {number} has nothing that the model reads: {known}.", number=number,
                      known=", ".join(self.modalities)),
                    t("Give one of them."),
                )  # fmt: skip

    def _image(self, reference: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        image = image_of(store.fetch(reference, self.stores))
        pixels: np.ndarray[Any, np.dtype[np.float32]] = self._pixels(images=image, return_tensors="np")["pixel_values"][
            0
        ]
        return pixels.astype(np.float32)

    def _sound(self, reference: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        rate = int(self._ears.sampling_rate)
        return sound_of(store.fetch(reference, self.stores), rate, max_seconds=self.max_seconds)

    def _heard(self, sounds: list[np.ndarray[Any, np.dtype[np.float32]]]) -> Arrays:
        made = self._ears(sounds, sampling_rate=int(self._ears.sampling_rate), return_tensors="np", padding="longest"
                          if "input_values" in self._ears.model_input_names else "max_length")  # fmt: skip
        name = self._ears.model_input_names[0]
        mask = made.get("attention_mask")
        return {"sound": np.asarray(made[name], np.float32)} | (
            {} if mask is None or name != "input_values" else {"sound_mask": np.asarray(mask, np.int64)}
        )

    @cached_property
    def _pixels(self) -> Any:
        return processor("AutoImageProcessor", self._folder / "image")

    @cached_property
    def _ears(self) -> Any:
        return processor("AutoFeatureExtractor", self._folder / "audio")


@dataclass(frozen=True)
class Beside:
    """What rows have beside the tokens of their text; files are read when a batch is made."""

    rows: list[dict[str, Any]]
    reader: Reader

    @cached_property
    def sizes(self) -> IntArray:
        """Tokens of each row beside those of its text, (n,)."""
        return self.reader.sizes(self.rows)

    def select(self, numbers: Sequence[int] | IntArray) -> Beside:
        """The given rows, in the given order."""
        return Beside([self.rows[number] for number in numbers], self.reader)

    def only(self, name: str) -> Beside:
        """The same rows with nothing but one modality: no file of another is opened."""
        return Beside([{name: row[name]} if name in row else {} for row in self.rows], self.reader)

    def followed_by(self, others: Beside) -> Beside:
        """These rows, then the others."""
        return Beside([*self.rows, *others.rows], self.reader)

    def batch(self, numbers: Sequence[int] | IntArray) -> Arrays:
        """The arrays of the given rows."""
        return self.reader.arrays([self.rows[number] for number in numbers])


class ItemTokenizer:
    """The tokenizer inside for the text of each item, and a `Reader` for all else.

    Args:
        inside: what makes the tokens; None for a model that reads no text.
        folder: that of the model.
        apart: whether items are judged in pairs, each read by itself.
    """

    reads_files = True

    def __init__(self, inside: Tokenizer | None, folder: Path, *, apart: bool = False) -> None:
        self._inside, self._reader, self._apart = inside, Reader(folder), apart

    @property
    def identity(self) -> str:
        """A hash of all that determines what the model reads."""
        return hash_json([self._inside.identity if self._inside else "", self._reader.identity, self._apart])

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model reads."""
        return tuple(self._reader.modalities)

    @property
    def stores(self) -> list[Path]:
        """Where files are looked for."""
        return self._reader.stores

    def encode(self, inputs: Sequence[Input]) -> Tokens:
        """The tokens of every input, in order, with what stands beside them.

        Raises:
            DataError: if an item has other things only than the model reads.
        """
        parts = [(item,) if isinstance(item, str) else item for item in inputs]
        rows = [parse(text) for texts in parts for text in texts]
        self._reader.check(rows)
        texts = [row.get("text", "") for row in rows]
        if self._inside is None:
            tokens = Tokens.of_first_texts([[0]] * len(texts), truncated=[False] * len(texts), pad_id=0)
        else:
            tokens = self._inside.encode(texts)
        tokens = replace(tokens, beside=Beside(rows, self._reader))
        if not self._apart:
            return tokens
        return replace(tokens, owners=np.repeat(np.arange(len(parts)), list(map(len, parts))), bound=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # a copy in the making has nothing inside yet
            raise AttributeError(name)
        return getattr(self._inside, name)


def reads_items(folder: Path) -> bool:
    """Whether the model in a folder reads more than text."""
    return (folder / FOLDER / SETTINGS).is_file()


def open_item_tokenizer(folder: Path, max_tokens: int, *, apart: bool = False) -> Any:
    """The `ItemTokenizer` of a folder with a fused model.

    Raises:
        ModelError: if a file is missing or damaged.
    """
    from tuneloop.models.tokenizer import Tokenizer

    reads_text = (folder / "tokenizer.json").is_file()
    return ItemTokenizer(Tokenizer(folder, max_tokens) if reads_text else None, folder, apart=apart)


def processor(kind: str, folder: Path) -> Any:
    """What prepares images or sound for an encoder, as its folder says, computed by Pillow and numpy.

    Args:
        kind: AutoImageProcessor or AutoFeatureExtractor.

    Raises:
        ModelError: if the folder does not say it.
    """
    import transformers

    from tuneloop.models.load import quiet_transformers

    more = {"backend": "pil"} if kind == "AutoImageProcessor" else {}
    try:
        with quiet_transformers():
            return getattr(transformers, kind).from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, **more
            )
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(
            t("{folder} does not say how its model is given images or sound: {reason}", folder=folder,
              reason=str(error).split("\n")[0]),
            t("It needs the preprocessor_config.json that comes with the model."),
        ) from error  # fmt: skip


def number_of(value: Any) -> float:
    """A number in a cell, and not a number where there is none; infinity is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if math.isfinite(number) else math.nan
