"""Real trainings and updates, killed again and again and resumed until they are done: the same bits as undisturbed."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from torture.harness import Broken, Tally, end_after, noted, spawn, undisturbed
from torture.invariants import leftovers, same, sound_releases
from torture.world import settings
from tuneloop.core.paths import Workspace

SCENES: dict[str, dict[str, Any]] = {
    "full": {},
    "averaged weights": {"training": {"ema": 0.9, "epochs": 2.5}},
    "lora": {"method": "lora", "training": {"learning_rate": 1e-3}},
    "bf16": {"training": {"precision": "bf16"}},
    "accumulated": {"training": {"max_batch_tokens": 32}},
}
"""Settings in which resuming could go wrong; more of them, killed at chosen places, in the tests of training."""

MOST_LIVES = 5
"""Kills of one run, after which it may go on to its end."""

AIMED = 2
"""The life of each run, from 0, that is not ended by chance but while it writes a checkpoint."""

STATES = ("no checkpoint yet", "between checkpoints", "being written")


def torture_trainings(folder: Path, model: Path, kills: int, chance: random.Random) -> Tally:
    """Kill `tune` so often.

    Args:
        model: the folder of the tiny model, with the data beside it.
    """
    tally, whole = Tally(), dict[str, tuple[dict[str, Any], float]]()
    turn = 0
    while tally.kills < kills:
        scene = list(SCENES)[turn % len(SCENES)]
        if scene not in whole:
            whole[scene] = _whole(folder / f"whole-{turn}", model, scene)
        with noted(tally, f"{scene}, run {turn}"):
            left = min(MOST_LIVES, kills - tally.kills)
            _one_run(folder / f"run-{turn}", model, scene, *whole[scene], kills=left, tally=tally, chance=chance)
        shutil.rmtree(folder / f"run-{turn}", ignore_errors=True)
        turn += 1
    return tally


def _whole(folder: Path, model: Path, scene: str) -> tuple[dict[str, Any], float]:
    """What an undisturbed run leaves, and how long it takes."""
    folder.mkdir(parents=True)
    began_s = time.monotonic()
    undisturbed(lambda report: _tune(folder, model, scene), folder / "told")
    return result_of(folder / "w"), time.monotonic() - began_s


def _one_run(
    folder: Path, model: Path, scene: str, wanted: dict[str, Any], usual_s: float, *, kills: int, tally: Tally,
    chance: random.Random,
) -> None:  # fmt: skip
    folder.mkdir()
    for life in range(kills):
        before = set(leftovers(folder / "w"))
        child = spawn(lambda report: _tune(folder, model, scene), folder / "told", linger=True)
        # each life goes on from the one before, so a few of half the time reach the end; one ends with its checkpoint
        aimed = partial(_writes, folder / "w", before) if life == AIMED else None
        if end_after(child, usual_s if aimed else chance.uniform(0, usual_s / 2), due=aimed) is None:
            raise Broken((folder / "told").read_text(encoding="utf-8"))
        tally.kills += 1
        tally.states[state := _state(folder / "w", before)] += 1
        if state == "finished":
            break
    undisturbed(lambda report: _tune(folder, model, scene), folder / "told")
    tally.undisturbed += 1
    same(result_of(folder / "w"), wanted, "an undisturbed run and one that was killed")
    if left := leftovers(folder / "w"):
        raise Broken(f"left behind: {left}")


def _tune(folder: Path, model: Path, scene: str) -> None:
    """Begin a run, or go on with the one that is there."""
    import torch

    import tuneloop as tl

    torch.set_num_threads(1)
    begun = any((folder / "w" / "runs").glob("mood-*/run.json"))
    given = settings(model, **json.loads(json.dumps(SCENES[scene]))) | {"workspace": str(folder / "w")}
    tl.tune(given, resume="latest" if begun else None, quiet=True)


def _writes(root: Path, before: Collection[str]) -> bool:
    """Whether a checkpoint is being written that was not before."""
    made = root.glob("runs/*/checkpoints/.tmp-*")
    return any(path.relative_to(root).as_posix() not in before for path in made)


def _state(root: Path, before: Collection[str]) -> str:
    runs = list((root / "runs").glob("mood-*/run.json"))
    if not runs:
        return "before the run"
    folder = runs[0].parent
    if json.loads(runs[0].read_text(encoding="utf-8"))["status"] == "finished":
        return "finished"
    if set(leftovers(root)) - set(before):
        return "being written"
    return "between checkpoints" if any(folder.glob("checkpoints/step-*")) else "no checkpoint yet"


def result_of(root: Path) -> dict[str, Any]:
    """What a finished run has come to.

    Raises:
        Broken: if there is not exactly one run, or a step stands twice in its curve.
    """
    (folder,) = (path.parent for path in (root / "runs").glob("mood-*/run.json"))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    curve = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    doubled = [key for key, count in Counter((row["step"], *sorted(row)) for row in curve).items() if count > 1]
    if doubled:
        raise Broken(f"twice in metrics.jsonl: {doubled[:3]}")
    return {
        "weights": hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest(),
        "curve": curve, "status": info["status"], "steps": info["steps"], "best": info["best_dev"],
    }  # fmt: skip


def torture_updates(folder: Path, kills: int, chance: random.Random) -> Tally:
    """Kill `tuneloop update`, with real training, judging and releasing, so often.

    Args:
        folder: where `world.build` has made a run.
    """
    tally = Tally()
    wanted, usual_s = None, 0.0
    for turn in range(1 + -(-kills // MOST_LIVES)):
        place = folder / f"update-{turn}"
        shutil.copytree(folder / "w", place / "w")
        began_s = time.monotonic()
        with noted(tally, f"update {turn}"):
            for _ in range(min(MOST_LIVES, kills - tally.kills) if turn else 0):
                child = spawn(lambda report, place=place: _update(folder, place), place / "told", linger=True)
                if end_after(child, chance.uniform(0, usual_s / 2)) is None:
                    raise Broken((place / "told").read_text(encoding="utf-8"))
                tally.kills += 1
                tally.states[_update_state(place / "w")] += 1
            undisturbed(lambda report, place=place: _update(folder, place), place / "told")
            tally.undisturbed += 1
            found = _updated(place / "w")
            wanted = wanted or found
            same(found, wanted, "an undisturbed update and one that was killed")
        usual_s = usual_s or time.monotonic() - began_s
        shutil.rmtree(place)
    return tally


def _update(folder: Path, place: Path) -> None:
    import torch

    import tuneloop as tl

    torch.set_num_threads(1)
    tl.update("mood-1", data=folder / "new.csv", steps=("head", "full"), workspace=place / "w", quiet=True)


def _update_state(root: Path) -> str:
    if list((root / "updates").glob("mood-*/decision.json")):
        return "decided"
    if len(sound_releases(Workspace(root))[0]) > 1:
        return "released, no decision"
    return "screening" if len(list((root / "runs").glob("mood-*/run.json"))) > 1 else "before"


def _updated(root: Path) -> dict[str, Any]:
    """What an update has come to: its decision, and the weights that it released."""
    ids, _ = sound_releases(Workspace(root))
    decisions = [json.loads(path.read_text(encoding="utf-8")) for path in root.glob("updates/mood-*/decision.json")]
    last = max(decisions, key=lambda found: found["created"])
    weights = hashlib.sha256((root / "releases" / last["release"] / "model.safetensors").read_bytes()).hexdigest()
    if len(ids) != 2:
        raise Broken(f"one candidate was released as {ids}")
    reasons = {
        "reasons": last["reasons"],
        "verdict": last["verdict"],
        "steps": [each["step"] for each in last["tried"]],
    }
    return reasons | {"weights": weights}
