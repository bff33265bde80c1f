"""A release served by tuneloop. `python -m benchmarks.our_server RELEASE PORT [EVENTS [ENGINE]]`."""

from __future__ import annotations

import sys

from benchmarks.release import WORKSPACE, default_config
from tuneloop.core.watching import WatchConfig
from tuneloop.serve.start import serve

if __name__ == "__main__":
    # clients repeat themselves here, and what is measured is the model
    settings = default_config().serve.model_copy(update={"port": int(sys.argv[2]), "answer_cache_mb": 0.0})
    watch = WatchConfig.model_validate({"events": sys.argv[3] if len(sys.argv) > 3 else "off"})
    engine = sys.argv[4] if len(sys.argv) > 4 else None
    serve(sys.argv[1], workspace=WORKSPACE, config=settings, watch=watch, engine=engine)
