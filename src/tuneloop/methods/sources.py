"""What a method may ask for beside the rows of train and dev."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from tuneloop.data.examples import Input
    from tuneloop.data.tokens import Tokens
    from tuneloop.methods.split import Split

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


class Sources(Protocol):
    """What a method may ask for beside the rows of train and dev; texts are cleaned as those are."""

    @property
    def inputs(self) -> Sequence[Input]:
        """The training texts."""

    @property
    def seed(self) -> int:
        """The run's, for what a method draws from the rows."""

    @property
    def dev(self) -> Split:
        """The rows of dev."""

    def tokens(self, inputs: Sequence[Input]) -> Tokens:
        """Their tokens for the model that is trained."""

    def texts_in(self, column: str, split: str) -> Sequence[str]:
        """The texts of another column of train or dev, row by row; a ConfigError if there is none, or a blank one."""

    def unlabelled(self, source: str) -> list[Input]:
        """The distinct texts of a file, or of sample:NAME, that are not in train, dev or test."""

    def teacher(self, name: str, inputs: Sequence[Input]) -> FloatArray:
        """Logits (n, outputs) of a finished model in evaluation mode, as those of the model that is trained."""

    def remembered(self, key: Any, compute: Callable[[], FloatArray]) -> FloatArray:
        """What was computed for this key, plain JSON, in this run or an earlier one; else it is computed now."""
