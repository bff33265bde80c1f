"""Which period a text is most like, told by vectors of a model that never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from tuneloop.core.errors import ModelError
from tuneloop.core.fsio import write_bytes
from tuneloop.core.i18n import t

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Router:
    """The period of the nearest mean, by the Mahalanobis distance with one covariance for all.

    It holds sums alone, so a period is added without the texts of those before: Hayes and Kanan, "Lifelong Machine
    Learning with Deep Streaming Linear Discriminant Analysis" (2020), here of periods and not of classes.

    Args:
        means: of the groups of texts (a class in a period), (groups, hidden).
        owners: the period of each group, from 0, int64, (groups,).
        scatter: the sum of (x - mean of its group)(x - mean of its group)^T, (hidden, hidden).
        texts: how many there were, int64, (1,).
    """

    means: Array
    owners: Array
    scatter: Array
    texts: Array

    @classmethod
    def empty(cls, hidden: int) -> Self:
        """The router that knows no period."""
        return cls(np.zeros((0, hidden)), np.zeros(0, np.int64), np.zeros((hidden, hidden)), np.zeros(1, np.int64))

    @property
    def periods(self) -> int:
        """How many it knows."""
        return int(self.owners.max(initial=-1)) + 1

    def with_period(self, vectors: Array, groups: Sequence[str]) -> Router:
        """The same with one more, behind the others.

        Args:
            vectors: of its texts, (n, hidden).
            groups: what each text belongs to, such as its class.
        """
        vectors = vectors.astype(np.float64)
        _, rows = np.unique(np.asarray(groups), return_inverse=True)
        means = np.stack([vectors[rows == number].mean(axis=0) for number in range(rows.max() + 1)])
        apart = vectors - means[rows]
        return Router(
            np.concatenate([self.means, means]),
            np.concatenate([self.owners, np.full(len(means), self.periods)]),
            self.scatter + apart.T @ apart,
            self.texts + len(vectors),
        )

    @property
    def whitening(self) -> Array:
        """W of the inverse covariance W W^T, (hidden, hidden).

        The covariance is shrunk as Chen et al., "Shrinkage Algorithms for MMSE Covariance Estimation" (2010), equation
        23, say, which needs the sums alone and gives it an inverse however few the texts are.
        """
        size, texts = len(self.scatter), int(self.texts[0])
        plain = self.scatter / texts
        mean = np.trace(plain) / size
        spread = float(np.mean(plain**2))
        below = (texts + 1) * (spread - mean**2 / size)
        share = 1.0 if below <= 0 else min(1.0, (spread + mean**2) / below)
        covariance = (1 - share) * plain + (share * mean + 1e-12) * np.eye(size)
        whitening: Array = np.linalg.cholesky(np.linalg.inv(covariance))
        return whitening

    def write(self, path: Path) -> None:
        """Keep it as safetensors, in one step."""
        from safetensors.numpy import save

        write_bytes(path, save({name: np.ascontiguousarray(value) for name, value in vars(self).items()}))

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` kept.

        Raises:
            ModelError: if it is missing or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return cls(**load_file(path))
        except (OSError, TypeError, SafetensorError) as error:
            raise ModelError(
                t("{path} cannot be read: {error}", path=path, error=error),
                t("Open a folder that tuneloop has written: a run's model/ or a release."),
            ) from error
