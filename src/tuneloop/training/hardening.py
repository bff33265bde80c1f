"""Training rows as an attack on an earlier model changed them: the audit's own failures, learnt from.

Adversarial training with examples found beforehand, as in Jin et al. (2020), section 5: what the search made of a row
keeps the row's label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneloop.core import fsio
from tuneloop.core.errors import ConfigError
from tuneloop.core.hashing import hash_json, hash_texts
from tuneloop.core.i18n import t
from tuneloop.core.progress import progress
from tuneloop.data.augment import SETTING, Copy
from tuneloop.data.perturbations.base import UnitPerturbation, keeping_perturbations
from tuneloop.inference.attack import attack
from tuneloop.inference.changed import right, text_of
from tuneloop.inference.predictor import Predictor, open_predictor
from tuneloop.models.device import torch_form
from tuneloop.models.source import deciding_hashes
from tuneloop.training.continual.past import folder_of, run_of

if TYPE_CHECKING:
    from tuneloop.core.paths import Workspace
    from tuneloop.core.preparation import AugmentConfig
    from tuneloop.data.examples import Examples

TOGETHER = 512
"""Rows that are searched side by side."""

VERSION = 1
"""Of the search: another one finds other copies."""


def attacked(
    train: Examples, config: AugmentConfig, workspace: Workspace, *, seed: int, cache: Path | None = None
) -> list[Copy]:
    """What the search made of the rows that an attacked model answers rightly; nothing where none is to be attacked.

    Args:
        cache: where what was found is kept for the next run on the same rows.

    Raises:
        ConfigError: if there is no such model, or no perturbation changes single words.
    """
    for name in config.attack:
        run_of(name, workspace, setting="data.augment.attack")
    kinds = _single_word_kinds(config) if config.attack else []
    copies = [
        copy
        for name in config.attack
        for copy in _attacked(folder_of(name, workspace), train, config, kinds, seed=seed, cache=cache)
    ]
    return list(dict.fromkeys(copies))


def _single_word_kinds(config: AugmentConfig) -> list[UnitPerturbation]:
    made = keeping_perturbations(config.perturbations, setting=SETTING)
    kinds = [each for each in made if isinstance(each, UnitPerturbation)]
    if not kinds:
        raise ConfigError(
            t("data.augment.attack needs a perturbation that changes single words."),
            t("Choose such as typos, keyboard, synonyms, homophones, shapes."),
        )
    return kinds


def _attacked(
    folder: Path, train: Examples, config: AugmentConfig, kinds: list[UnitPerturbation], *, seed: int,
    cache: Path | None,
) -> list[Copy]:  # fmt: skip
    """What breaks one model, found anew or kept."""
    path = cache and cache / "attacks" / f"{_key(train, config, folder, seed)}.json"
    copies = _kept(path) if path else None
    if copies is None:
        with closing(open_predictor(folder, engine=torch_form())) as model:
            copies = list(_found(train, model, kinds, config.words, seed))
        if path:
            with fsio.storage_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            fsio.write_json(path, copies)
    return copies


def _found(train: Examples, model: Predictor, kinds: list[UnitPerturbation], words: float, seed: int) -> Iterator[Copy]:
    with progress(t("searching for weak spots"), len(train)) as bar:
        for start in range(0, len(train), TOGETHER):
            bar.update(start)
            numbers = list(range(start, min(start + TOGETHER, len(train))))
            part = train.select(numbers)
            fine = right(model.predict(part.inputs), part.labels)
            rows = [number for number, is_right in zip(numbers, fine, strict=True) if is_right]
            part = train.select(rows)
            draws = [np.random.default_rng([seed, row]) for row in rows]
            for row, attempt in zip(
                rows, attack(model, part.inputs, part.labels, perturbations=kinds, words_share=words,
                             random=draws.__getitem__), strict=True,
            ):  # fmt: skip
                if attempt.changes:
                    yield row, text_of(attempt.changed({}))
        bar.update(len(train))


def _key(train: Examples, config: AugmentConfig, folder: Path, seed: int) -> str:
    rows = [hash_texts(train.texts), hash_texts(train.pairs or ()), hash_json([str(label) for label in train.labels])]
    return hash_json([VERSION, deciding_hashes(folder), rows, list(config.perturbations), config.words, seed])[:24]


def _kept(path: Path) -> list[Copy] | None:
    """What was found before; None if there is nothing or it is damaged."""
    try:
        return [(int(row), str(text)) for row, text in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None
