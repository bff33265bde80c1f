"""Trains a tiny BERT on made-up tokens in a folder; a program, so that a test can kill it.

Usage: python tiny.py FOLDER KILL EMA, where KILL is a step number, `save:STEP` (die while that
checkpoint is being written) or `never`. Prints the SHA-256 of the final weights.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from tuneloop.core.config import TaskConfig, TrainingConfig
from tuneloop.data.tokens import Tokens
from tuneloop.methods.full import FullFineTuning, FullOptions
from tuneloop.tasks import create_task
from tuneloop.training import checkpoint
from tuneloop.training.loop import Split, train

LABELS = ["bad", "good"]


def split(rows: int, seed: int) -> Split:
    """Texts that are good when token 5 occurs in them."""
    random = np.random.default_rng(seed)
    lengths = random.integers(3, 12, rows)
    ids = random.integers(6, 30, int(lengths.sum())).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = []
    for row in range(rows):
        good = bool(random.integers(2))
        if good:
            ids[offsets[row] + 1] = 5
        labels.append(LABELS[good])
    return Split(Tokens(ids, offsets, None, np.zeros(rows, bool)), labels)


def run(folder: Path, *, kill: str = "never", ema: float = 0.0, seed: int = 0, **settings: object) -> str:
    """Train, dying where asked; the SHA-256 of the final weights."""
    torch.manual_seed(7)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=30, **shape))
    task = create_task(TaskConfig(type="classification"), {"labels": LABELS})
    plain = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "checkpoint_every_steps": 3, "ema": ema}
    config = TrainingConfig(**(plain | settings))

    def after_step(step: int) -> None:
        if kill == str(step):
            os.kill(os.getpid(), signal.SIGKILL)

    if kill.startswith("save:"):
        write_json, fatal = checkpoint.write_json, int(kill.removeprefix("save:"))

        def die_half_way(path: Path, value: dict) -> None:
            if value["place"]["step"] == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            write_json(path, value)

        checkpoint.write_json = die_half_way
    train(
        model,
        task,
        FullFineTuning(FullOptions()),
        train_split=split(60, 1),
        dev_split=split(30, 2),
        config=config,
        seed=seed,
        precision="fp32",
        folder=folder,
        fingerprint={"seed": seed, "lr": config.learning_rate},
        quiet=True,
        after_step=after_step,
    )
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), kill=sys.argv[2], ema=float(sys.argv[3])))
