"""The release that the inference benchmarks use: tuned, proven and written by tuneloop, then kept."""

from __future__ import annotations

from functools import cache, partial

from benchmarks.data import Sentiment
from benchmarks.results import HERE
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.paths import Workspace
from tuneloop.releases.read import Release, open_release

WORKSPACE = Workspace(HERE / ".cache")
"""Not kept in git; delete it to tune and release again."""


def default_config(**training: object) -> RunConfig:
    """tuneloop's defaults for the benchmark's data, with changes to `training`."""
    return parse_config({"name": "sentiment", "data": {"source": "sample:sentiment"}, "training": training})


@cache
def sentiment_release() -> Release:
    """The newest release with tuneloop's defaults; the first call takes minutes."""
    from tuneloop.releases.write import write_release
    from tuneloop.training.run import tune

    found = max(WORKSPACE.releases.glob("sentiment-*"), key=lambda path: path.stat().st_mtime, default=None)
    if found:
        return open_release(found.name, WORKSPACE)
    data, config = Sentiment(), default_config()
    print("  tuning and releasing the model to measure; kept in benchmarks/.cache", flush=True)
    run = tune(config, snapshot=data, workspace=WORKSPACE, quiet=True)
    return write_release(
        run.path, workspace=WORKSPACE, config=config, dev=data.split("dev"), evaluation={"metrics": {}},
        train=partial(data.split, "train"), quiet=True,
    )  # fmt: skip
