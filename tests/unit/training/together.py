"""Trains the model of `tiny` with several processes that gloo joins, forked so that torch is imported once.

Usage: python together.py FOLDER LIVES , where LIVES is a JSON list of `life`'s arguments. Prints a JSON list with what
each process of each life says: {"weights": SHA-256 after each step, "rows": of each step, "final": SHA-256 at the end,
"whole": bytes of the model}, or {"error": ...}, or the signal it died of. Where weights are shared out there are no
hashes but that of the first process at the end, and "bytes" is what a process holds, "left" what of the whole model.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import sklearn.metrics  # noqa: F401  (before the fork, so that it is imported once)
import torch

from tuneloop.training.distributed import ranks as ranks_module
from tuneloop.training.distributed.pieces import own
from tuneloop.training.distributed.ranks import JoinedRanks, Ranks, join
from tuneloop.training.distributed.sharded import ShardedRanks

ROOT = Path(__file__).parents[3]


def opened(path: Path) -> Any:
    """A file of the tests as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


tiny = opened(Path(__file__).with_name("tiny.py"))


def digest(tensors: dict[str, torch.Tensor]) -> str:
    found = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        found.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def trains(folder: Path, ranks: Ranks, kill: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What one process sees of a training."""
    weights: list[str] = []
    rows: list[list[int]] = []
    deal = type(ranks).share

    def share(self: Ranks, given: Any, tokens: Any) -> Any:
        own = deal(self, given, tokens)
        rows.append(own.tolist())
        return own

    type(ranks).share = share
    spread, held = ShardedRanks.spread, {}

    def measured(self: ShardedRanks, model: Any, precision: str) -> Any:
        pieces = spread(self, model, precision)
        held["bytes"] = sum(own(each).nbytes for each in pieces.parameters())
        held["left"] = sum(each.nbytes for each in model.parameters() if not each.is_meta)
        return pieces

    ShardedRanks.spread = measured
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        final = tiny.trained(
            folder,
            kill=kill,
            ranks=ranks,
            watch=lambda _, model: weights.append("" if settings.get("shard") else digest(model.state_dict())),
            **settings,
        )
    whole = not any(value.is_meta for value in final.values())
    sizes = {"whole": sum(value.nbytes for value in final.values()), **held}
    return {"weights": weights, "rows": rows, "final": whole and digest(final), "said": said.getvalue()} | sizes


def tunes(folder: Path, ranks: Ranks, task: str, config: dict[str, Any]) -> dict[str, Any]:
    """A whole run on the made-up rows of a task; the weights of what it leaves, and the losses of its steps."""
    from safetensors.torch import load_file

    from tuneloop.core.config import parse_config
    from tuneloop.core.paths import Workspace
    from tuneloop.training.run import tune

    sys.path.append(str(ROOT))
    rows_of = opened(ROOT / "tests" / "conftest.py").MadeUp
    chance = {"dropout": 0.0}  # of which each process draws its own
    settings = parse_config({"data": {"source": "x.csv"}, "task": {"type": task} | chance} | config)
    run = tune(settings, snapshot=rows_of(task), workspace=Workspace(folder), ranks=ranks, quiet=True)
    rows = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    weights = load_file(run.model_path / "model.safetensors")
    return {
        "curve": [row["loss"] for row in rows if "loss" in row],
        "files": sorted(str(each.relative_to(run.path)) for each in run.path.rglob("*") if each.is_file()),
        "settings": json.loads((run.model_path / "config.json").read_text()),
        "sizes": {name: list(value.shape) for name, value in weights.items()},
        "sums": {name: float(value.double().abs().sum()) for name, value in weights.items()},
        "best": run.info["best_dev"],
    }


def talks(ranks: JoinedRanks) -> dict[str, Any]:
    """What one process hears of the others."""
    ranks_module.BUCKET = 5
    used, lonely, unused = (torch.nn.Parameter(torch.zeros(size)) for size in (4, 3, 2))
    used.grad = torch.full((4,), 1.0 + ranks.rank)
    lonely.grad = torch.ones(3) if ranks.rank == 1 else None
    loss = ranks.add_up([used, lonely, unused], 0.25)
    mine = torch.full((2, 2), float(ranks.rank))
    ranks.equal([mine])
    turns: list[int] = []
    with ranks.in_turn():
        turns.append(ranks.rank)
    return {
        "loss": loss,
        "gradients": [None if each.grad is None else each.grad.tolist() for each in (used, lonely, unused)],
        "equal": mine.tolist(),
        "any": [ranks.any(False), ranks.any(ranks.rank == 1)],
        "told": ranks.told(lambda: {"f1": 0.1 + 0.2, "from": ranks.rank, "text": "好"}),
        "draws": [(ranks.draw(3, step), torch.rand(1).item())[1] for step in (0, 1, 0)],
        "turns": turns,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def life(folder: Path, size: int, kills: dict[str, str], settings: dict[str, Any]) -> list[Any]:
    """`size` processes from their start to their end.

    Args:
        kills: how a process dies, by its rank; see `tiny`.
        settings: of `tiny.trained`; {"talk": true} only lets the processes talk, and with a "task" a whole run of that
            "config" is tuned in "folder".
    """
    port, children = free_port(), []
    for rank in range(size):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, json.dumps(_live(folder, rank, size, port, kills, settings)).encode())
            os._exit(0)
        os.close(writer)
        children.append((child, reader))
    return [_what_it_said(*each) for each in children]


def _live(folder: Path, rank: int, size: int, port: int, kills: dict[str, str], settings: dict[str, Any]) -> Any:
    names = {"RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in names.items()})
    torch.set_num_threads(1)
    try:
        ranks = join()
        if "talk" in settings:
            return talks(ranks)
        if "task" in settings:
            return tunes(folder / settings["folder"], ranks, settings["task"], settings["config"])
        return trains(folder / settings.pop("folder", "run"), ranks, kills.get(str(rank), "never"), settings)
    except Exception as error:
        return {"error": type(error).__name__, "trace": traceback.format_exc()}


def _what_it_said(child: int, reader: int) -> Any:
    with os.fdopen(reader) as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    return json.loads(said) if said else signal.Signals(os.WTERMSIG(status)).name


if __name__ == "__main__":
    print(json.dumps([life(Path(sys.argv[1]), **each) for each in json.loads(sys.argv[2])]))
