"""`python -m torture`: kills of everything that writes, then refused writes, lost power and a clock set back."""

# ruff: noqa: E402  the environment is set before anything that reads it is imported
from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # before anything is imported that would start threads: of a fork only one goes on
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from torture import clock, faults, power, trainings, world
from torture.harness import Tally, Victim, torture, undisturbed
from torture.victims.events import EventWriting, NaiveEventWriting
from torture.victims.numbers import IndexSharing
from torture.victims.promotion import Promoting
from torture.victims.releases import NaiveReleaseWriting, ReleaseWriting
from torture.victims.serving import LightServing, Serving
from torture.victims.updates import Updating
from tuneloop.core.provenance import code_version, environment

RESULTS = Path("benchmarks/quality/torture.json")

SHARES = {
    "release writing": 0.34, "index": 0.1, "event writing": 0.2, "update": 0.16, "promotion and rollback": 0.15,
    "server": 0.05,
}  # fmt: skip
"""What each light victim gets of the kills that are left of trainings and real updates."""

NAIVE_LEAST = 0.05
"""Share of kills after which what is written naively must be found broken; else the checks see nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; 1 if a promise was broken, a state was never hit or the naive control was not caught."""
    asked = _parser().parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=asked.folder))
    began_s, chance = time.monotonic(), random.Random(asked.seed)
    code_version(), environment()  # computed once, not in every forked process
    light = asked.kills - asked.trainings - asked.updates
    found: dict[str, Any] = {"victims": {}, "control": {}}
    wrong: list[str] = []
    made_up = world.light_world(_below(folder, "light"))
    for victim, kills in _victims(folder, made_up, light, real=asked.trainings > 0):
        found["victims"][victim.name] = _tortured(victim, kills, chance, wrong, strict=asked.strict)
    for victim in (
        NaiveReleaseWriting(_below(folder, "naive-1"), made_up),
        NaiveEventWriting(_below(folder, "naive-2")),
    ):
        found["control"][victim.name] = _control(victim, max(10, asked.kills // 20), chance, wrong)
    for name, check in (("refused writes", faults.check), ("lost power", power.check), ("clock set back", clock.check)):
        found[name] = _checked(
            name, check, _below(folder, name.replace(" ", "-")), made_up, wrong, thorough=asked.strict
        )
    if asked.trainings:
        found["victims"] |= _real(folder, asked, light, chance, wrong)
    found |= {
        "kills": sum(each["kills"] for each in found["victims"].values()), "broken": wrong, "seed": asked.seed,
        "minutes": round((time.monotonic() - began_s) / 60, 1),
    }  # fmt: skip
    _report(found, write=asked.write)
    shutil.rmtree(folder, ignore_errors=True)
    return int(bool(wrong))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="kills in all")
    parser.add_argument("--trainings", type=int, default=50, help="of them, kills of real trainings")
    parser.add_argument("--updates", type=int, default=10, help="of them, kills of a real tuneloop update")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; on the disk that is to be proved")
    parser.add_argument("--strict", action="store_true", help="fail if a state was never hit: for many kills")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULTS}")
    return parser


def _victims(folder: Path, made_up: world.World, kills: int, *, real: bool) -> list[tuple[Victim, int]]:
    """The light victims with their kills; a real server comes later, where there is a real model."""
    found: list[Victim] = [
        ReleaseWriting(_below(folder, "releases"), made_up),
        IndexSharing(_below(folder, "index")),
        EventWriting(_below(folder, "events")),
        Updating(_below(folder, "updates"), made_up),
        Promoting(_below(folder, "promotions"), made_up),
    ]
    if not real:
        found.append(LightServing(_below(folder, "server"), made_up))
    return [(victim, round(kills * SHARES[victim.name])) for victim in found]


def _real(folder: Path, asked: Any, light: int, chance: random.Random, wrong: list[str]) -> dict[str, Any]:
    """Trainings, updates and a server of a real, tiny model."""
    place = _below(folder, "real")
    _say("making a tiny model")
    world.preload(undisturbed(lambda report: world.build(place, report), place / "told"))
    found = {}
    server = Serving(_below(folder, "server"), world.real_world(place))
    found[server.name] = _tortured(server, round(light * SHARES[server.name]), chance, wrong, strict=asked.strict)
    _say(f"training, {asked.trainings} kills")
    tally = trainings.torture_trainings(_below(folder, "trainings"), place, asked.trainings, chance)
    found["training"] = _counted("training", tally, trainings.STATES if asked.strict else (), wrong)
    _say(f"real update, {asked.updates} kills")
    tally = trainings.torture_updates(place, asked.updates, chance)
    found["real update"] = _counted("real update", tally, (), wrong)
    return found


def _tortured(victim: Victim, kills: int, chance: random.Random, wrong: list[str], *, strict: bool) -> dict[str, Any]:
    _say(f"{victim.name}, {kills} kills")
    tally = torture(victim, kills, chance)
    return _counted(victim.name, tally, victim.states if strict else (), wrong)


def _counted(name: str, tally: Tally, states: Sequence[str], wrong: list[str]) -> dict[str, Any]:
    wrong += [f"{name}, {each}" for each in tally.broken]
    wrong += [f"{name}: the state {state!r} was never hit" for state in states if not tally.states[state]]
    _say(f"  {dict(tally.states)}, broken: {len(tally.broken)}")
    return {"kills": tally.kills, "states": dict(tally.states.most_common()), "broken": len(tally.broken)}


def _control(victim: Victim, kills: int, chance: random.Random, wrong: list[str]) -> dict[str, Any]:
    _say(f"{victim.name}, {kills} kills")
    tally = torture(victim, kills, chance)
    if len(tally.broken) < NAIVE_LEAST * kills:
        wrong.append(f"{victim.name} was found broken {len(tally.broken)} times of {kills}: the checks see too little")
    _say(f"  found broken: {len(tally.broken)}")
    return {"kills": kills, "broken": len(tally.broken)}


def _checked(
    name: str,
    check: Callable[..., dict[str, Any]],
    folder: Path,
    made_up: world.World,
    wrong: list[str],
    *,
    thorough: bool,
) -> dict[str, Any]:
    _say(name)
    try:
        (line,) = undisturbed(lambda say: say(json.dumps(check(folder, made_up, thorough=thorough))), folder / "told")
    except AssertionError as error:
        wrong.append(f"{name}: {error}")
        return {}
    found: dict[str, Any] = json.loads(line)
    _say(f"  {found}")
    return found


def _report(found: dict[str, Any], *, write: bool) -> None:
    _say(f"{found['kills']} kills in {found['minutes']} minutes")
    for line in found["broken"]:
        _say(f"BROKEN {line}")
    if write:
        from benchmarks.results import machine

        found["broken"], found["command"] = len(found["broken"]), shlex.join(["python", "-m", "torture", *sys.argv[1:]])
        RESULTS.write_text(json.dumps(found | {"machine": machine()}, indent=2) + "\n", encoding="utf-8")
    _say("every promise was kept" if not found["broken"] else "promises were broken")


def _below(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    return folder / name


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
