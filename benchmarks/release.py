"""The release that the inference benchmarks use: tuned, proven and written by tuneloop, then kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data import Sentiment
from benchmarks.results import HERE
from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.fsio import new_dir
from tuneloop.core.paths import Workspace
from tuneloop.models.source import resolve
from tuneloop.releases.read import Release, open_release

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WORKSPACE = Workspace(HERE / ".cache")
"""Not kept in git; delete it to tune and release again."""


def default_config(*, source: Path | None = None, **training: object) -> RunConfig:
    """tuneloop's defaults for the benchmark's data, with changes to `training` and perhaps another model."""
    model = {"source": str(source)} if source else {}
    data = {"source": "sample:sentiment"}
    return parse_config({"name": "sentiment", "data": data, "model": model, "training": training})


def kept_encoder(name: str, make: Callable[[Path], PreTrainedModel]) -> Path:
    """A folder with another model and the default model's tokenizer, kept in the cache for the next time.

    Args:
        make: the model, from the default model's folder.
    """
    folder, source = WORKSPACE.cache / name, resolve(default_config().model.source)
    if not folder.is_dir():
        with new_dir(folder) as staging:
            others = shutil.ignore_patterns("*.safetensors", "config.json")
            shutil.copytree(source, staging, ignore=others, dirs_exist_ok=True)
            make(source).save_pretrained(staging)
    return folder


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
