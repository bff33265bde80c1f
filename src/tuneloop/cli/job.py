"""What the process of a studio's job runs: a command, with a note of which process it is and of how it ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the command in `arguments[1:]`; notes go to the folder `arguments[0]`."""
    import psutil

    from tuneloop.core.fsio import write_json

    folder = Path(arguments[0])
    # a studio that was started in the background hands on that Ctrl-C is ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    write_json(folder / "process.json", {"pid": os.getpid(), "born_s": psutil.Process().create_time()})
    from tuneloop.cli.app import run

    code = run(arguments[1:])
    sys.stdout.flush()
    write_json(folder / "ended.json", {"exit_code": code})
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
