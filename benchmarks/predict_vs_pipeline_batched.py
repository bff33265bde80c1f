"""The same, with the pipeline at the batch size that suits it best on this machine."""

from __future__ import annotations

from benchmarks.data import unused_texts
from benchmarks.measure import seconds
from benchmarks.predict_vs_pipeline import compare, pipeline
from benchmarks.results import Result

SIZES = (4, 8, 16, 32, 64)
TRIAL = 300


def run(name: str) -> Result:
    """Texts per second, from strings to labels."""
    pipe, texts = pipeline(), unused_texts(TRIAL, 20)
    pipe(texts[:32], batch_size=8)
    taken = {size: seconds(lambda size=size: pipe(texts, batch_size=size)) for size in SIZES}
    best = min(taken, key=taken.__getitem__)
    print("  pipeline: " + ", ".join(f"batch {size}: {TRIAL / spent:.0f}/s" for size, spent in taken.items()))
    return compare(
        name, {"batch_size": best}, f"transformers.pipeline over a list, batch_size={best}, its best of {SIZES}"
    )
