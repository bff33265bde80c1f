"""Releases whose adapters stand on one pretrained model, answered side by side: a request names the one it asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tuneloop.core.paths import Workspace
from tuneloop.releases.read import open_release
from tuneloop.serve.slot import Addressed, Directed, ServedModel, describe

if TYPE_CHECKING:
    from tuneloop.core.preparation import CleanConfig
    from tuneloop.data.examples import Input
    from tuneloop.inference.adapters import ManyAdapters
    from tuneloop.tasks.base import FloatArray, Prediction, Task

ENGINE = "torch-fp32"
"""What computes texts of several adapters together."""


class OneOfMany:
    """A `ModelHandle`: the adapter of one release, which takes inputs that are directed to others as well.

    Args:
        many: all of them.
        release: whose adapter answers what is not directed.
    """

    def __init__(self, many: ManyAdapters, release: str) -> None:
        self._many, self.name = many, release

    @property
    def task(self) -> Task:
        """Its own."""
        return self._many.adapters[self.name].task

    @property
    def clean(self) -> CleanConfig:
        """How its texts are mended."""
        return self._many.adapters[self.name].clean

    def mended(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs as the texts that it learnt from were mended."""
        from tuneloop.data.clean import clean_inputs

        return clean_inputs(inputs, self.clean)

    def scores(self, inputs: Sequence[Input]) -> FloatArray:
        """What its task decides by, in the order of `inputs`."""
        return self._many.scores(self.name, inputs)

    def predict(self, inputs: Sequence[Addressed]) -> list[Prediction]:
        """One prediction per input, in order, each by its own adapter."""
        return self._many.predict(
            [(each.release, each.item) if isinstance(each, Directed) else (self.name, each) for each in inputs]
        )


def open_adapters(release_ids: Sequence[str], *, workspace: Workspace, max_batch_tokens: int) -> ServedModel:
    """Several releases as one model, their files checked against their hashes, open and warm.

    Args:
        release_ids: the first answers what names none.
        max_batch_tokens: padded tokens in one forward pass at most.

    Raises:
        ReleaseError: if there is no such release or a file is damaged.
        ConfigError: if one is no plain LoRA beside its pretrained model.
        ModelError: if they do not stand on the same pretrained model.
    """
    from tuneloop.inference.adapters import ManyAdapters

    releases = [open_release(each, workspace) for each in dict.fromkeys(release_ids)]
    many = ManyAdapters({each.id: each.path for each in releases}, max_batch_tokens=max_batch_tokens)
    first, *others = (describe(each, ENGINE, OneOfMany(many, each.id)) for each in releases)
    model = replace(first, beside={each.release: each for each in others})
    for each in model.every:
        each.warm_up()
    return model
