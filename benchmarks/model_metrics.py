"""What the model of a tuneloop server has computed so far, from /metrics."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

NAMES = {
    "tuneloop_batch_texts_count": "batches",
    "tuneloop_batch_texts_sum": "texts",
    "tuneloop_model_seconds_total": "seconds",
}


@dataclass(frozen=True)
class Computed:
    """Batches, distinct texts in them, and how long the model took for all."""

    batches: float = 0.0
    texts: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Computed) -> Computed:
        return Computed(self.batches + other.batches, self.texts + other.texts, self.seconds + other.seconds)

    def __sub__(self, other: Computed) -> Computed:
        return Computed(self.batches - other.batches, self.texts - other.texts, self.seconds - other.seconds)

    def to_json(self) -> dict[str, float]:
        """Plain numbers."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def computed(url: str) -> Computed:
    """So far, by the server of this address."""
    place = urlsplit(url)
    with urlopen(f"{place.scheme}://{place.netloc}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    found = dict.fromkeys(NAMES.values(), 0.0)
    for sample in (each for family in families for each in family.samples if each.name in NAMES):
        found[NAMES[sample.name]] += sample.value
    return Computed(**found)


def service_times(stretches: list[Computed]) -> tuple[float, float]:
    """Seconds of a batch and seconds of each text in it, neither below 0: the least squares of seconds per batch.

    Each stretch counts as often as it has batches.
    """
    used = [each for each in stretches if each.batches]
    weight = np.sqrt([each.batches for each in used])
    sizes = np.array([each.texts / each.batches for each in used])
    took = np.array([each.seconds / each.batches for each in used])
    both, *_ = np.linalg.lstsq(np.stack([weight, weight * sizes], axis=1), weight * took, rcond=None)
    if both.min() >= 0:
        return float(both[0]), float(both[1])
    seconds = sum(each.seconds for each in used)
    alone = (seconds / sum(each.batches for each in used), 0.0), (0.0, seconds / sum(each.texts for each in used))
    return alone[int(both[0] < 0)]
