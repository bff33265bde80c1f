"""Trains a tiny BERT on made-up tokens in a folder; a program, so that a test can kill it again and again.

Usage: python tiny.py FOLDER SETTINGS KILL... , where SETTINGS is JSON for `run` and each KILL is the
life of one process that goes on in FOLDER/killed from the one before: a step number, `save:STEP` (die
while that checkpoint is being written), `best:STEP` (while its weights are kept as the best), `eval:STEP`
(in the dev evaluation after that step), `pass:N` (in its N-th forward pass, so between the parts of a
step) or `keep:N` (before the N-th part of the states behind frozen layers is kept).
Prints for each life the signal it died of, or the SHA-256 of the final weights; first that of a run in
FOLDER/whole which nobody disturbs, and last that of a life in FOLDER/killed which nobody ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from tuneloop.core.config import MethodConfig, TaskConfig, TrainingConfig
from tuneloop.core.continual import ContinualConfig
from tuneloop.data.masking import Marks
from tuneloop.data.tokens import Tokens
from tuneloop.methods import create_method
from tuneloop.methods.masked_lm import HiddenTokens, MaskedLanguageModel
from tuneloop.methods.split import Split
from tuneloop.models import forward
from tuneloop.models import frozen as frozen_layers
from tuneloop.tasks import create_task
from tuneloop.training import checkpoint, loop
from tuneloop.training.continual.held import Held
from tuneloop.training.distributed.ranks import Ranks
from tuneloop.training.loop import train

LABELS = ["bad", "good"]


def split(rows: int, seed: int, *, numbered: bool = False) -> Split:
    """Texts that are good when token 5 occurs in them, or whose label is their number."""
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
    return Split(Tokens(ids, offsets, None, np.zeros(rows, bool)), list(range(rows)) if numbered else labels)


class Beside:
    """Texts without labels, and a teacher that knows what it says."""

    inputs = [""] * 60
    dev = split(30, 2)

    def unlabelled(self, source: str) -> list[str]:
        return [""] * 40

    def tokens(self, inputs: list[str]) -> Tokens:
        return split(40, 3).tokens

    def teacher(self, name: str, inputs: list[str]) -> np.ndarray:
        return np.random.default_rng(4).normal(size=(len(inputs), 2)).astype(np.float32)


def holding(model: torch.nn.Module, known: set[str]) -> Held:
    """EWC, L2-SP and LwF of an old model that says what the numbers drawn here say."""
    random = np.random.default_rng(5)
    held = Held(ContinualConfig(model="old-1", ewc=2.0, l2_sp=0.1, lwf=1.0), 2)
    held.remember(model, known)
    held.fisher = {
        each.name: torch.from_numpy(random.random(each.difference.shape).astype(np.float32)) for each in held.weights
    }
    held.teach(random.normal(size=(60, 2)).astype(np.float32), torch.device("cpu"))
    return held


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run(folder: Path, **settings: object) -> str:
    """Train as `trained` does; the SHA-256 of the final weights."""
    digest = hashlib.sha256()
    for name, value in sorted(trained(folder, **settings).items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def trained(
    folder: Path,
    *,
    kill: str = "never",
    ema: float = 0.0,
    seed: int = 0,
    precision: str = "fp32",
    method: dict[str, object] | str = "full",
    frozen: int = 0,
    layers: int = 2,
    keep: bool = False,
    held: bool = False,
    dropout: float = 0.1,
    quiet: bool = True,
    ranks: Ranks | None = None,
    watch: Callable[[int, torch.nn.Module], None] | None = None,
    **settings: object,
) -> dict[str, torch.Tensor]:
    """Train, dying where asked; the final weights.

    Args:
        frozen: layers that are not trained.
        keep: whether what these say is kept in `folder`.
        held: whether an older model holds the weights.
        ranks: the processes that train together.
        watch: called after each step with its number and the model.
    """
    torch.set_num_threads(1)
    torch.manual_seed(7)
    shape = {"hidden_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2, "intermediate_size": 32}
    shape |= {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    masked = method == "masked_lm"
    model = (BertForMaskedLM if masked else BertForSequenceClassification)(BertConfig(vocab_size=30, **shape))
    task = HiddenTokens() if masked else create_task(TaskConfig(type="classification"), {"labels": LABELS})
    if masked:
        chosen = MaskedLanguageModel(Marks(4, np.arange(5), np.arange(5, 30)), share=0.3, seed=seed)
    else:
        named = {"type": method} if isinstance(method, str) else method
        chosen = create_method(MethodConfig(**named, **({"frozen_layers": frozen} if frozen else {})))
    known = {name for name, _ in model.named_parameters()}
    chosen.prepare(model)
    plain = {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "checkpoint_every_steps": 3, "ema": ema}
    config = TrainingConfig(**(plain | {"report_to": ()} | settings))
    steps: list[int] = [0]

    def after_step(step: int) -> None:
        steps[0] = step
        if watch:
            watch(step, model)
        if kill == str(step):
            die()
        if kill == f"stop:{step}":
            os.kill(os.getpid(), signal.SIGINT)

    _arm(kill, steps)
    train(
        model,
        task,
        chosen,
        train_split=chosen.gather(split(60, 1, numbered=masked), task, Beside()),
        dev_split=split(30, 2, numbered=masked),
        config=config,
        seed=seed,
        precision=precision,
        folder=folder,
        fingerprint={"seed": seed, "lr": config.learning_rate},
        cache=folder / "states" if keep else None,
        held=holding(model, known) if held else None,
        ranks=ranks,
        quiet=quiet,
        after_step=after_step,
    )
    return model.state_dict()


def _arm(kill: str, steps: list[int]) -> None:
    """Make the given place in the code deadly; `steps[0]` is the last finished step."""
    kind, _, number = kill.partition(":")
    if kind == "save":
        write_json = checkpoint.write_json

        def die_half_way(path: Path, value: dict) -> None:
            if value["place"]["step"] == int(number):
                die()
            write_json(path, value)

        checkpoint.write_json = die_half_way
    if kind == "best":
        new_dir = checkpoint.new_dir

        @contextmanager
        def die_before_it_appears(path: Path) -> Iterator[Path]:
            with new_dir(path) as staging:
                yield staging
                if path.name == f"best-{int(number):08d}":
                    die()

        checkpoint.new_dir = die_before_it_appears
    if kind == "eval":
        predict = forward.predict_logits

        def die_instead(*given: object) -> object:
            # the step that is evaluated is not yet finished
            return die() if steps[0] + 1 == int(number) else predict(*given)

        forward.predict_logits = die_instead
    if kind == "keep":
        compute = frozen_layers.FrozenPrefix._compute

        def die_between(*given: object) -> Iterator[object]:
            for done, part in enumerate(compute(*given), start=1):
                if done == int(number):
                    die()
                yield part

        frozen_layers.FrozenPrefix._compute = die_between
    if kind == "pass":
        to_tensors, passes = loop.to_tensors, iter(range(1, 1 << 30))

        def die_in_time(*given: object) -> object:
            return die() if next(passes) == int(number) else to_tensors(*given)

        loop.to_tensors = die_in_time


def live(folder: Path, kill: str, settings: dict) -> str:
    """One life in a process of its own, forked so that torch is imported once."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, run(folder, kill=kill, **settings).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        return file.read() or signal.Signals(os.WTERMSIG(status)).name


if __name__ == "__main__":
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    print(live(folder / "whole", "never", settings))
    for kill in [*sys.argv[3:], "never"]:
        print(live(folder / "killed", kill, settings), flush=True)
