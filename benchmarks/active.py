"""How many labels does a strategy need for what random ones bring? Beside small-text, with the same model.

    python -m benchmarks.active [--seeds 5] [--keep FOLDER] [--only NAME ...]

Writes `benchmarks/quality/active.json` and the tables and curves of `docs/active-learning.md`. A logistic regression
on frozen MiniLM vectors is fitted anew after every batch. All sides begin with the same random texts; the strategy is
chosen on dev, and figures are of test. Every label is the corpus's own. Vectors and finished curves are kept in FOLDER,
so that an interrupted measurement goes on, and several processes can share one (`--part`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.active_data import HEADS, POOL_ROWS, Array, Data, head, load, macro_f1
from benchmarks.active_peer import NAMES, chosen_by_peer
from benchmarks.results import QUALITY, machine
from tuneloop.core.fsio import write_json
from tuneloop.labelling.curve import forecast
from tuneloop.labelling.measuring import measure_curve
from tuneloop.labelling.strategies import STRATEGIES
from tuneloop.labelling.strategies.base import Pool, ScoreStrategy, Strategy

PATH = QUALITY / "active.json"
FIRST, BATCH, TOP, TARGET = 100, 50, 1000, 2000
"""Random labels to begin with, labels between two fits, labels at most, and random labels to be matched."""
OURS = [
    *(name for name in STRATEGIES.names() if name not in ("random", "cluster")),
    *(f"{name}+kmeans" for name in ("uncertainty", "entropy", "margin", "bald", "cal")),
    "margin+centers",
]
"""`cluster` is for the cold start, and is measured there."""
DROPOUT, PASSES = 0.1, 10
T4 = 2.776
"""97.5 % point of Student's t with 4 degrees of freedom."""
FORECASTS = 20
COLD = (20, 50, 100)


def create(name: str) -> Strategy:
    """A strategy by its name, with its diversity behind a plus."""
    kind, _, way = name.partition("+")
    found = STRATEGIES.get(kind)
    return found(way or "none") if issubclass(found, ScoreStrategy) else found()  # type: ignore[arg-type]


def chosen_by_us(
    name: str, data: Data, first: Array, *, top: int, seed: int, settings: str
) -> Iterator[tuple[Any, int]]:
    """The fitted model after every batch, and from how many labels."""
    strategy, pool = create(name), data.pool
    known, left = first, np.setdiff1d(np.arange(len(pool.classes)), first)
    while True:
        model = head(settings).fit(pool.vectors[known], pool.classes[known])
        yield model, len(known)
        if len(known) >= top:
            return
        vectors = pool.vectors[left]
        draws = dropped(model, vectors, seed=seed) if "draws" in strategy.needs else None
        seen = Pool(
            len(left), model.predict_proba(vectors), vectors, draws, model.predict_proba(pool.vectors[known]),
            pool.vectors[known],
        )  # fmt: skip
        rows = strategy.choose(seen, BATCH, seed=1000 * seed + len(known)).rows
        known, left = np.concatenate([known, left[rows]]), np.delete(left, rows)


def dropped(model: Any, vectors: Array, *, seed: int) -> Array:
    """Probabilities with a tenth of what the linear model reads dropped, (passes, n, classes): MC dropout of a head."""
    random, draws = np.random.default_rng(seed), []
    for _ in range(PASSES):
        kept = random.random(vectors.shape) >= DROPOUT
        draws.append(model.predict_proba(vectors * kept / (1 - DROPOUT)))
    return np.stack(draws)


@dataclass(frozen=True)
class Bench:
    """What all curves share.

    Args:
        data: vectors and classes.
        seeds: how many orders of the first random texts.
        keep: a folder for finished curves.
    """

    data: Data
    seeds: int
    keep: Path | None = None

    def curve(self, side: str, name: str, *, top: int = TOP, settings: str = "plain") -> dict[str, Any]:
        """Macro-F1 on dev and test after each batch, for each seed."""
        return self.kept(
            f"{side}-{name}-{settings}-{top}-{self.seeds}",
            lambda: self._curve(side, name, top=top, settings=settings),
        )

    def kept(self, name: str, measure: Callable[[], Any]) -> Any:
        """What was measured under this name before, or now."""
        path = None if self.keep is None else self.keep / f"{name}.json"
        if path is not None and path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
        found = measure()
        if path is not None:
            write_json(path, found)
        return found

    def _curve(self, side: str, name: str, *, top: int, settings: str) -> dict[str, Any]:
        began_s = time.perf_counter()
        runs = [list(self._steps(side, name, seed=seed, top=top, settings=settings)) for seed in range(self.seeds)]
        found = {
            "labels": [known for known, _, _ in runs[0]],
            "dev": [[round(dev, 4) for _, dev, _ in run] for run in runs],
            "test": [[round(test, 4) for _, _, test in run] for run in runs],
        }
        took_s = time.perf_counter() - began_s
        print(f"  {side} {name} {settings}: {np.mean(found['test'], axis=0)[-1]:.4f}, {took_s:.0f} s", flush=True)
        return found

    def _steps(self, side: str, name: str, *, seed: int, top: int, settings: str) -> Iterator[tuple[int, float, float]]:
        first = np.random.default_rng(seed).permutation(len(self.data.pool.classes))[:FIRST]
        if side == "peer":
            steps = chosen_by_peer(name, self.data.pool, first, batch=BATCH, top=top, seed=seed, settings=settings)
        else:
            steps = chosen_by_us(name, self.data, first, top=top, seed=seed, settings=settings)
        for model, known in steps:
            yield known, macro_f1(model, self.data.dev), macro_f1(model, self.data.test)

    def random(self, settings: str = "plain") -> dict[str, Any]:
        """Random labels, as many as are to be matched."""
        return self.curve("ours", "random", top=TARGET, settings=settings)

    def cold(self) -> dict[str, Any]:
        """Test scores of the first labels, chosen by clusters or at random."""
        found, pool = {}, self.data.pool
        whole = Pool(len(pool.classes), vectors=pool.vectors)
        for count in COLD:
            for name in ("cluster", "random"):
                scores = []
                for seed in range(self.seeds):
                    rows = create(name).choose(whole, count, seed=seed).rows
                    model = head("plain").fit(pool.vectors[rows], pool.classes[rows])
                    scores.append(macro_f1(model, self.data.test))
                found[f"{name} {count}"] = with_interval(scores)
        return found


def needed(found: dict[str, Any], split: str, target: float) -> int | None:
    """Labels from which on the mean over seeds stays at the target or above; None if it does not by the end."""
    enough = np.mean(found[split], axis=0) >= target
    if not enough[-1]:
        return None
    below = np.flatnonzero(~enough)
    return int(found["labels"][below[-1] + 1 if len(below) else 0])


def with_interval(values: Any) -> dict[str, float]:
    """Mean over seeds and its 95 % interval by Student's t."""
    values = np.asarray(values, dtype=np.float64)
    half = (T4 if len(values) == 5 else 2.0) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    mean = float(values.mean())
    return {name: round(value, 4) for name, value in zip(("mean", "low", "high"), (mean, mean - half, mean + half))}  # noqa: B905


def summary(found: dict[str, Any], random: dict[str, Any]) -> dict[str, Any]:
    """Labels needed on dev and test, the score at the end, and how it differs from that of the random labels."""
    goals = {split: float(np.mean(random[split], axis=0)[-1]) for split in ("dev", "test")}
    last = {split: np.array(found[split])[:, -1] for split in ("dev", "test")}
    theirs = np.array(random["test"])[:, -1]
    return {
        **{f"needed_{split}": needed(found, split, goal) for split, goal in goals.items()},
        **{f"{split}_at_end": with_interval(each) for split, each in last.items()},
        "dev_area": round(float(np.mean(found["dev"])), 4),
        "test_less_random": with_interval(last["test"] - theirs),
    }


def best(summaries: dict[str, Any]) -> str:
    """By dev: the fewest labels needed, then the largest mean over the whole curve."""

    def rank(name: str) -> tuple[float, float]:
        each = summaries[name]
        return (each["needed_dev"] or np.inf, -each["dev_area"])

    return min((name for name in summaries if name not in ("random", "RandomSampling")), key=rank)


def forecasts(data: Data, *, count: int) -> list[dict[str, Any]]:
    """Forecasts from 500 random labels of what 500 more bring, beside what they bring on test."""
    from benchmarks.data import LABELS
    from tuneloop.core.config import TaskConfig
    from tuneloop.tasks import create_task

    task, pool, found = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)}), data.pool, []
    for seed in range(count):
        rows = np.random.default_rng(100 + seed).permutation(len(pool.classes))[:1000]
        labels = [LABELS[each] for each in pool.classes[rows[:500]]]
        measured = measure_curve(pool.vectors[rows[:500]], labels, task, seed=seed, quiet=True)
        told = forecast(measured, now=500, more=500, worth=0.005, seed=seed)
        now, then = (
            macro_f1(head("plain").fit(pool.vectors[part], pool.classes[part]), data.test)
            for part in (rows[:500], rows)
        )
        found.append({"score": told.score, "then": told.then, "gain": told.gain, "verdict": told.verdict,
                      "true_score": now, "true_then": then})  # fmt: skip
    return found


def told_well(found: list[dict[str, Any]]) -> dict[str, Any]:
    """How often the intervals held what came, and how far the forecasts were off."""

    def held(name: str, truths: list[float]) -> float:
        return float(
            np.mean([each[name][1] <= truth <= each[name][2] for each, truth in zip(found, truths, strict=True)])
        )

    then, gains = [each["true_then"] for each in found], [each["true_then"] - each["true_score"] for each in found]
    return {
        "count": len(found),
        "score_held": held("then", then),
        "gain_held": held("gain", gains),
        "mean_gain": round(float(np.mean(gains)), 4),
        "mean_gain_forecast": round(float(np.mean([each["gain"][0] for each in found])), 4),
        "mean_error": round(
            float(np.mean([abs(each["then"][0] - truth) for each, truth in zip(found, then, strict=True)])), 4
        ),
        "mean_width": round(float(np.mean([each["gain"][2] - each["gain"][1] for each in found])), 4),
        "verdicts": {name: sum(each["verdict"] == name for each in found) for name in ("go", "unclear", "stop")},
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for vectors and finished curves")
    parser.add_argument("--only", nargs="*", default=[*OURS, *NAMES], help="strategies; all by default")
    parser.add_argument("--heads", nargs="*", default=list(HEADS), help="models that the chosen ones are measured with")
    parser.add_argument("--pool", type=int, default=POOL_ROWS, help="texts to choose from; a folder for each")
    parser.add_argument("--forecasts", type=int, default=FORECASTS)
    parser.add_argument("--part", action="store_true", help="only measure and keep these curves, write nothing else")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    data = load(None if options.keep is None else options.keep / "vectors.npz", pool=options.pool)
    bench = Bench(data, options.seeds, options.keep)
    names = {"ours": OURS, "peer": NAMES}
    curves = {side: {n: bench.curve(side, n) for n in options.only if n in known} for side, known in names.items()}
    if not options.part:
        found = record(bench, curves, heads=options.heads, count=options.forecasts)
        usual = options.pool == POOL_ROWS
        write_json(PATH if usual else PATH.with_stem(f"active-{options.pool}"), found)
        if usual:
            from benchmarks.active_page import write

            write(found)


def record(bench: Bench, curves: dict[str, dict[str, Any]], *, heads: list[str], count: int) -> dict[str, Any]:
    """Choose on dev, measure the chosen ones with other models, and tell all of it."""
    random = bench.random()
    sums = {side: {name: summary(each, random) for name, each in found.items()} for side, found in curves.items()}
    chosen = {side: best(each) for side, each in sums.items()}
    others = {}
    for settings in heads:
        other = bench.random(settings)
        others[settings] = {
            "random": {split: with_interval(np.array(other[split])[:, -1]) for split in ("dev", "test")}
        }
        others[settings] |= {
            side: summary(bench.curve(side, name, settings=settings), other) for side, name in chosen.items()
        }
    needs = {side: sums[side][name]["needed_test"] for side, name in chosen.items()}
    return {
        "bar": f"macro-F1 of {TARGET} random labels with at most {TOP}, mean of {bench.seeds} seeds",
        "met": needs["ours"] is not None,
        "first": FIRST,
        "batch": BATCH,
        "seeds": bench.seeds,
        "rows": {name: len(getattr(bench.data, name).classes) for name in ("pool", "dev", "test")},
        "peer": f"small-text {version('small-text')}",
        "command": "python -m benchmarks.active",
        "machine": machine(),
        "random_at_target": {split: with_interval(np.array(random[split])[:, -1]) for split in ("dev", "test")},
        "chosen_on_dev": chosen,
        "labels_needed_on_test": needs,
        "ratio_to_random": round(TARGET / needs["ours"], 3) if needs["ours"] else None,
        "ratio_to_peer": round(needs["peer"] / needs["ours"], 3) if needs["ours"] and needs["peer"] else None,
        "heads": others,
        "cold_start": bench.kept(f"cold-{bench.seeds}", bench.cold),
        "forecast": told_well(bench.kept(f"forecasts-{count}", lambda: forecasts(bench.data, count=count))),
        "strategies": sums,
        "curves": {"random": random, **curves},
    }


if __name__ == "__main__":
    main()
