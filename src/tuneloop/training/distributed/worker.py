"""One of the processes that `torchrun` and `ray` start: it joins the others, trains, and says how that ended.

`python -m tuneloop.training.distributed.worker FOLDER PARENT` does what FOLDER/launch.json says and leaves ended.json
there. An error of the user's is such an end: started again, the processes would fail again. One that died says nothing,
and is started again to go on from the newest checkpoint.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import TrainingError, TuneloopError
from tuneloop.core.fsio import write_json
from tuneloop.core.i18n import language, t, use_language
from tuneloop.core.parent import end_with
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import note
from tuneloop.data.snapshot_folder import find_snapshot
from tuneloop.training.distributed.ranks import LAUNCH, LostRankError, join
from tuneloop.training.interrupt import InterruptedTrainingError

SPEC, ENDED = "launch.json", "ended.json"
DIED = 1
"""The exit code of a process that is to be started again."""


@dataclass(frozen=True)
class Launch:
    """What the processes are to train, plain JSON; see `training.run.tune`.

    Args:
        name: of the launch; a run that one of its processes has begun is gone on with.
        config: the configuration.
        snapshot: hash of the data, which lies in the workspace.
        workspace, base: folders under which every process finds the same.
        restarts: how often they are started again.
        options: of the command line, by which such a run is gone on with.
        language: of what they say.
    """

    name: str
    config: dict[str, Any]
    snapshot: str
    workspace: str
    base: str
    resume: str | None
    restarts: int
    options: str
    quiet: bool
    language: str

    def write(self, folder: Path) -> None:
        """Leave it in `folder` for the processes."""
        write_json(folder / SPEC, asdict(self))


def new_launch(
    config: RunConfig,
    *,
    name: str,
    snapshot: str,
    workspace: Workspace,
    base: Path,
    resume: str | None,
    restarts: int,
    options: str,
    quiet: bool,
) -> Launch:
    """The launch of processes that train what `training.run.tune` would."""
    return Launch(
        name=name,
        config=config.model_dump(mode="json"),
        snapshot=snapshot,
        workspace=str(workspace.root.resolve()),
        base=str(base.resolve()),
        resume=resume,
        restarts=restarts,
        options=options,
        quiet=quiet,
        language=language(),
    )


def work(folder: Path, *, count: int) -> int:
    """Train as one of the processes; the exit code, 0 where there is nothing to start again for.

    Args:
        count: how often the processes were started again before.
    """
    launch = Launch(**json.loads((folder / SPEC).read_text(encoding="utf-8")))
    use_language(launch.language)
    os.environ[LAUNCH] = launch.name
    if (folder / ENDED).is_file():
        return 0
    try:
        run = _train(launch, count)
    except LostRankError:  # the other one has said why, or has died
        return 0 if (folder / ENDED).is_file() else DIED
    except InterruptedTrainingError as stopped:  # whose hint ends with a command
        hint = f"{stopped.hint} {launch.options}"
        write_json(folder / ENDED, {"problem": stopped.problem, "hint": hint, "code": stopped.exit_code})
    except TuneloopError as error:
        write_json(folder / ENDED, {"problem": error.problem, "hint": error.hint, "code": error.exit_code})
    else:
        write_json(folder / ENDED, {"run": run})
    return 0


def ended(folder: Path) -> str | None:
    """The id of the finished run; None where the processes ended without a word.

    Raises:
        InterruptedTrainingError: if it was stopped; the place is kept.
        TrainingError: with what one of the processes has said.
    """
    if not (folder / ENDED).is_file():
        return None
    found = json.loads((folder / ENDED).read_text(encoding="utf-8"))
    if "run" in found:
        return str(found["run"])
    kind = InterruptedTrainingError if found["code"] == InterruptedTrainingError.exit_code else TrainingError
    raise kind(found["problem"], found["hint"])


def _train(launch: Launch, count: int) -> str:
    from tuneloop.training.run import tune

    ranks = join()
    quiet = launch.quiet or not ranks.first
    if count and not quiet:
        note(t("A process of the training died; all go on from the newest checkpoint ({count} of {restarts} times).",
               count=count, restarts=launch.restarts))  # fmt: skip
    workspace = Workspace(Path(launch.workspace))
    run = tune(
        parse_config(launch.config),
        snapshot=find_snapshot(launch.snapshot, workspace),
        workspace=workspace,
        base=Path(launch.base),
        resume=launch.resume,
        ranks=ranks,
        quiet=quiet,
    )
    return run.id


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    try:
        code = work(Path(sys.argv[1]), count=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")))
    except KeyboardInterrupt:  # before the first step, or the second Ctrl-C
        code = InterruptedTrainingError.exit_code
    sys.exit(code)
