"""From functions to rows with probabilities, and from these to a model; dev and test stay the labels of people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.audited import BAD, GOOD, hotel_rows
from tuneloop.api.weak import weak_label, weak_table
from tuneloop.core.config import parse_config
from tuneloop.core.errors import ConfigError, DataError
from tuneloop.core.project import Project
from tuneloop.data.examples import Examples
from tuneloop.methods import create_method
from tuneloop.tasks import create_task
from tuneloop.training.probable import train_probabilities


def project(folder: Path, **weak: object) -> Project:
    """Functions that know half of the words, texts without labels, and dev with labels."""
    good, bad = "|".join(GOOD[:4]), "|".join(BAD[:4])
    (folder / "f.yaml").write_text(
        f"functions:\n  - {{name: good, regex: '{good}', label: yes}}\n  - {{name: bad, regex: '{bad}', label: no}}\n",
        encoding="utf-8",
    )
    (folder / "texts.csv").write_text("\n".join(["text", *hotel_rows(120, seed=1).texts]) + "\n", encoding="utf-8")
    rows = hotel_rows(80, seed=2)
    lines = [f"{text},{label}" for text, label in zip(rows.texts, rows.labels, strict=True)]
    (folder / "dev.csv").write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    plain = {
        "workspace": str(folder / "w"),
        "data": {"source": "weak.jsonl", "dev": "dev.csv", "test": "dev.csv"},
        "weak": {"functions": "f.yaml", "texts": "texts.csv", **weak},
    }
    return Project(parse_config(plain), folder)


def test_rows_hold_text_label_probabilities_and_who_spoke(tmp_path: Path) -> None:
    found = weak_label(project(tmp_path), to=tmp_path / "weak.jsonl", quiet=True)
    rows = [json.loads(line) for line in (tmp_path / "weak.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == found["written"]["rows"] < 120 == len(rows) + found["written"]["left_out"]
    assert found["dev"]["rows"] == 80 and found["dev"]["accuracy_voted"]["value"] > 0.95
    truth = dict(zip(*(lambda each: (each.texts, each.labels))(hotel_rows(120, seed=1)), strict=True))
    assert all(truth[row["text"]] == row["label"] for row in rows)
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert row["probabilities"][row["label"]] == max(row["probabilities"].values())
        assert set(row["functions"]) <= {"good", "bad"} and row["functions"]
    page = (tmp_path / "w" / "weak" / "table.html").read_text(encoding="utf-8")
    assert "good" in page and "Wilson" in page


def test_priors_of_dev_need_a_dev(tmp_path: Path) -> None:
    made = project(tmp_path, priors="dev")
    assert weak_table(made, quiet=True)["model"]["priors"]["yes"] == pytest.approx(0.5)
    bare = made.config.model_copy(update={"data": made.config.data.model_copy(update={"dev": None})})
    with pytest.raises(ConfigError, match="there is no dev"):
        weak_table(Project(bare, tmp_path), quiet=True)


def test_training_learns_the_probabilities_and_measures_by_people_alone() -> None:
    config = parse_config({"data": {"source": "x"}, "task": {"type": "classification", "probabilities": "p"}})
    task = create_task(config.task, {"labels": ["no", "yes"]})
    train = Examples(["1", "2", "3"], ["a", "b", "c"], ["yes", "no", "no"],
                     columns={"p": [{"yes": 0.8, "no": 0.2}, '{"no": 1.0}', None]})  # fmt: skip
    dev = Examples(["4"], ["d"], ["yes"], columns={})
    full = create_method(config.method)
    found = train_probabilities(task, full, {"train": train, "dev": dev, "test": dev}.__getitem__, config.training)
    assert found is not None and np.allclose(found, [[0.2, 0.8], [1, 0], [1, 0]])
    measured = {"train": train, "dev": train, "test": dev}.__getitem__
    with pytest.raises(ConfigError, match="Row 1 of dev has probabilities"):
        train_probabilities(task, full, measured, config.training)
    wrong = Examples(["9"], ["a"], ["yes"], columns={"p": [{"yes": 0.8, "no": 0.4}]})
    with pytest.raises(DataError, match="Row 9 of train"):
        train_probabilities(task, full, {"train": wrong, "dev": dev, "test": dev}.__getitem__, config.training)


@pytest.mark.parametrize("method", ["full", "probe"])
def test_a_model_trained_on_probabilities_says_them(tiny_model: Path, tmp_path: Path, method: str) -> None:
    """Every text of one kind has label yes, but with probability 0.7: a model of labels would be surer."""
    from tuneloop.core.paths import Workspace
    from tuneloop.training.run import tune

    class Half:
        hash = "half"
        labels = ("no", "yes")

        def split(self, name: str) -> Examples:
            texts = [f"{word} {letter}" for word in ("good", "bad") for letter in "abcdefghij"]
            labels = ["yes"] * 10 + ["no"] * 10
            sure = [{"yes": 0.7, "no": 0.3}] * 10 + [{"no": 0.7, "yes": 0.3}] * 10
            return Examples(list(map(str, range(20))), texts, labels, columns={"p": sure} if name == "train" else {})

    def surest(options: dict[str, str]) -> float:
        plain = {"data": {"source": "x.csv"}, "task": {"type": "classification", "dropout": 0.0, **options}}
        plain |= {"model": {"source": str(tiny_model), "max_tokens": 16}, "method": method}
        plain |= {"training": {"epochs": 20, "batch_size": 8, "learning_rate": 3e-3, "precision": "fp32",
                               "report_to": []}}  # fmt: skip
        workspace = Workspace(tmp_path / ("soft" if options else "hard"))
        # every answer to dev is right, so that no temperature is found
        run = tune(parse_config(plain), snapshot=Half(), workspace=workspace, quiet=True)
        logits = run.handle().logits(Half().split("dev").texts)
        return float(np.abs(logits[:, 1] - logits[:, 0]).mean())

    assert surest({"probabilities": "p"}) < 0.5 * surest({})
