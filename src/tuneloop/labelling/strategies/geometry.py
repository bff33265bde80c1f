"""Choosing vectors that lie apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tuneloop.labelling.strategies.base import FloatArray, IntArray

CHUNK = 2048
"""Rows whose distances to all others are held at once."""


MOST_DISTANCES = 200_000
"""Of vectors to centres: with more, k-means of small parts is as good and many times faster."""


def to_unit(vectors: FloatArray) -> FloatArray:
    """The vectors at length 1, (n, dimensions): then near means a large cosine."""
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit


def squared_distances(vectors: FloatArray, others: FloatArray) -> FloatArray:
    """Squared Euclidean distances, (n, m)."""
    products = vectors @ others.T
    norms, theirs = (vectors**2).sum(axis=1), (others**2).sum(axis=1)
    found: FloatArray = np.maximum(norms[:, None] + theirs - 2 * products, 0)
    return found


def chunks(size: int) -> Iterator[slice]:
    """Rows, so many that their distances to all others fit into memory."""
    for start in range(0, size, CHUNK):
        yield slice(start, min(size, start + CHUNK))


def nearest_labelled(vectors: FloatArray, labelled: FloatArray) -> FloatArray:
    """Squared distance of each vector to the nearest labelled one, (n,); infinite where there is none."""
    found = np.full(len(vectors), np.inf, dtype=np.float64)
    if len(labelled):
        for rows in chunks(len(vectors)):
            found[rows] = squared_distances(vectors[rows], labelled).min(axis=1)
    return found


def k_center(vectors: FloatArray, labelled: FloatArray | None, count: int) -> tuple[IntArray, FloatArray]:
    """Rows of which each is the one farthest from all before it and from the labelled ones, and how far it was.

    The first one, where nothing is labelled, is the nearest to the mean.
    """
    far = nearest_labelled(vectors, vectors[:0] if labelled is None else labelled)
    norms = (vectors**2).sum(axis=1)
    rows: list[int] = []
    distances: list[float] = []
    for _ in range(min(count, len(vectors))):
        if rows or np.isfinite(far[0]):
            row = int(far.argmax())
        else:
            row = int(squared_distances(vectors, vectors.mean(axis=0, keepdims=True)).argmin())
        rows.append(row)
        distances.append(float(far[row]))
        far = np.minimum(far, np.maximum(norms + norms[row] - 2 * (vectors @ vectors[row]), 0))
        far[rows] = -1
    if distances and not np.isfinite(distances[0]):
        distances[0] = distances[1] if len(distances) > 1 else 0.0
    return np.array(rows, dtype=np.int64), np.sqrt(np.array(distances))


def kmeans_nearest(vectors: FloatArray, count: int, *, seed: int, weights: FloatArray | None = None) -> IntArray:
    """One row of each of `count` clusters, the nearest to its centre, (count,)."""
    groups, centres = clustered(vectors, count, seed=seed, weights=weights)
    away = ((vectors - centres[groups]) ** 2).sum(axis=1)
    order = np.lexsort((away, groups))
    first = np.unique(groups[order], return_index=True)[1]
    picked = order[first]
    left = np.setdiff1d(order, picked)[: count - len(picked)]  # equal vectors make fewer clusters
    return np.concatenate([picked, left]).astype(np.int64)


def clustered(
    vectors: FloatArray, count: int, *, seed: int, weights: FloatArray | None = None
) -> tuple[IntArray, FloatArray]:
    """The cluster of each vector, (n,), and the centres, (count, dimensions), by k-means; of small parts where many."""
    import warnings

    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = KMeans if len(vectors) * count <= MOST_DISTANCES else MiniBatchKMeans
    means = kind(min(count, len(vectors)), n_init=1, max_iter=50, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal vectors make fewer clusters, which is well
        groups = means.fit_predict(vectors, sample_weight=weights)
    return groups.astype(np.int64), means.cluster_centers_
