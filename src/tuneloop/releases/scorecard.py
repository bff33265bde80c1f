"""The figures of a run or release: on which rows, beside which baselines, against which release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneloop.core.fsio import write_json, write_text
from tuneloop.core.i18n import t
from tuneloop.core.paths import Workspace
from tuneloop.core.progress import progress

if TYPE_CHECKING:
    from tuneloop.data.examples import Examples
    from tuneloop.releases.read import Release
    from tuneloop.tasks.base import FloatArray, Task
    from tuneloop.training.run import Run

BASELINES = ("majority", "tfidf")
