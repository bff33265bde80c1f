"""What fusion adds where neither modality suffices: half of a handwritten digit, and two true sentences about it.

    python -m benchmarks.modalities [--seeds 0 1 2] [--ways text image late cross_attention]

The images are the 1,797 digits of scikit-learn (UCI, 43 writers); only the left half of each is shown, the other half
is black. The text is a number by chance, so that no two are equal, and two of the descriptions that hold of the digit,
drawn for each row: an even number, less than five, a prime number, ... Most pairs hold of several digits. Text alone is
read by MiniLM, whose last two layers are trained; under fusion it stays frozen. The images are read by a small ViT that
learns from nothing. Every way sees the same rows (1,197 of train, 200 of dev, 400 of test, classes alike, dealt anew by
each seed) with the same epochs and rates, and its weights are chosen on dev. A fusion is compared with the better
single modality on the same test rows (paired bootstrap). `hidden` is its accuracy with one modality hidden.
Writes `benchmarks/quality/modalities.json`. About 10 minutes a seed on one quiet core.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.results import QUALITY, machine
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.evaluation.paired import compare
from tuneloop.media.items import without

PATH = QUALITY / "modalities.json"
SEEDS = (0, 1, 2)
SIZES = {"test": 400, "dev": 200, "train": 1197}
TRAINING = {"epochs": 12, "report_to": []}
DESCRIPTIONS: dict[str, tuple[int, ...]] = {
    "It is an even number.": (0, 2, 4, 6, 8),
    "It is an odd number.": (1, 3, 5, 7, 9),
    "It is less than five.": (0, 1, 2, 3, 4),
    "It is five or more.": (5, 6, 7, 8, 9),
    "It is a prime number.": (2, 3, 5, 7),
    "It is a square.": (0, 1, 4, 9),
    "It can be divided by three.": (0, 3, 6, 9),
    "It is a power of two.": (1, 2, 4, 8),
    "Its English name has three letters.": (1, 2, 6),
    "Its English name has four letters.": (0, 4, 5, 9),
    "Its English name has five letters.": (3, 7, 8),
}
WAYS: dict[str, dict[str, Any]] = {
    "text": {"modality": "text", "method": {"type": "full", "frozen_layers": 4}},
    "image": {"modality": "image"},
    "late": {"modality": "text+image", "fusion": {"type": "late"}},
    "cross_attention": {"modality": "text+image", "fusion": {"type": "cross_attention"}},
}


def write_digits(folder: Path, seed: int) -> None:
    """A CSV file for each split with text, picture and label, and the pictures beside it."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits, random = load_digits(), np.random.default_rng([seed, *b"digits"])
    (folder / "digits").mkdir()
    rows = []
    for number, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        grey = np.uint8(pixels / 16 * 255)
        grey[:, 4:] = 0
        name = f"digits/{number}.png"
        Image.fromarray(grey).save(folder / name)
        true = [said for said, those in DESCRIPTIONS.items() if digit in those]
        rows.append((" ".join(random.permutation(true)[:2].tolist()), name, f"digit {digit}"))
    cards = random.permutation(len(rows))
    # one of each class in turn, so that the classes are alike in every split
    dealt = random.permutation(len(rows))
    dealt = dealt[np.argsort(_turns(digits.target[dealt]), kind="stable")]
    begin = 0
    for split, size in SIZES.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "picture", "label"))
            for number in dealt[begin : begin + size]:
                said, name, label = rows[number]
                writer.writerow((f"Card {cards[number]}. {said}", name, label))
        begin += size


def _turns(classes: Any) -> Any:
    """For each row how many rows of its class stand before it."""
    seen: dict[int, int] = {}
    turns = []
    for each in classes.tolist():
        turns.append(seen.get(each, 0))
        seen[each] = turns[-1] + 1
    return np.array(turns)


def config_of(way: dict[str, Any], seed: int) -> RunConfig:
    """The settings of a way."""
    columns = {"image": "picture"} if "image" in way["modality"] else {}
    fusion = {"image": "scratch", "image_size": 16, "frozen": ["text"]} if columns else {}
    clean = {"duplicates": "keep", "near_threshold": 1.0}
    return parse_config(
        {
            "name": "digits", "seed": seed, "modality": way["modality"], "fusion": fusion | way.get("fusion", {}),
            "method": way.get("method", "full"), "training": TRAINING,
            "data": {"source": "train.csv", "dev": "dev.csv", "test": "test.csv", "columns": columns, "clean": clean},
        }
    )  # fmt: skip


def answered(way: dict[str, Any], seed: int, folder: Path) -> tuple[Any, dict[str, Any], float]:
    """Task and test rows, scores on them as they are and with each modality hidden, and macro-F1 on dev."""
    from tuneloop.data.snapshot import build_snapshot
    from tuneloop.tasks import task_class
    from tuneloop.training.run import tune

    config, workspace = config_of(way, seed), Workspace(folder / "workspace")
    snapshot = build_snapshot(config, task=task_class(config.task), workspace=workspace, base=folder, quiet=True)
    run = tune(config, snapshot=snapshot, workspace=workspace, base=folder, quiet=True)
    test, model = snapshot.split("test"), run.handle("torch-fp32")
    scores = {"": model.scores(test.inputs)}
    for name in way["modality"].split("+") if "fusion" in way else ():
        scores[name] = model.scores([without(text, {name}) for text in test.texts])
    task = model.task
    model.close()
    return (task, test), scores, float(run.info["best_dev"]["macro_f1"])


def measure(seed: int, ways: Sequence[str]) -> dict[str, Any]:
    """The figures of each way, and how much each fusion is better than the better modality alone."""
    found: dict[str, Any] = {}
    known: dict[str, Any] = {}
    with TemporaryDirectory(prefix="digits-") as name:
        folder = Path(name)
        write_digits(folder, seed)
        for way in ways:
            (task, test), scores, dev = answered(WAYS[way], seed, folder)
            known[way] = scores[""]
            figures = {hidden: float(np.mean(task.right(test.labels, each))) for hidden, each in scores.items()}
            found[way] = {"dev_macro_f1": dev, "accuracy": figures.pop(""), **({"hidden": figures} if figures else {})}
            singles = [each for each in ("text", "image") if each in found]
            if "fusion" in WAYS[way] and len(singles) == 2:
                best = max(singles, key=lambda each: found[each]["accuracy"])
                result = compare(task, test.labels, known[way], known[best], seed=seed, resamples=2000)
                found[way] |= {"against": best, "difference": result.difference}
                found[way] |= {"low": result.low, "high": result.high, "p": result.p, "metric": result.metric}
            print(f"seed {seed}, {way}: {found[way]}", flush=True)
    return found


def summed(seeds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The mean accuracy of each way over the seeds that have it."""
    ways = dict.fromkeys(way for each in seeds.values() for way in each)
    known = {way: [each[way]["accuracy"] for each in seeds.values() if way in each] for way in ways}
    return {way: {"seeds": len(each), "accuracy": round(mean(each), 4)} for way, each in known.items()}


def main() -> None:
    """Measure and record; seeds that were measured before are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    for seed in options.seeds:
        found = measure(seed, options.ways)
        before = json.loads(options.output.read_text(encoding="utf-8"))["seeds"] if options.output.is_file() else {}
        seeds = before | {str(seed): before.get(str(seed), {}) | found}
        settings = {"training": TRAINING, "rows": SIZES, "ways": WAYS, "descriptions": DESCRIPTIONS}
        summary = summed(seeds)
        write_json(options.output, {"summary": summary, "seeds": seeds, "settings": settings, "machine": machine()})
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
