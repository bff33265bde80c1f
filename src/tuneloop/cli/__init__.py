"""The command line."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run `tuneloop`: exit code 0, 2 for a mistake that the user can mend, 1 for ours."""
    _choose_language(sys.argv[1:])
    from tuneloop.cli.app import run

    code = run(sys.argv[1:])
    gc.freeze()  # nothing is looked for in cycles at the end: after torch and transformers that takes half a second
    sys.exit(code)


def _choose_language(arguments: list[str]) -> None:
    """Help texts are translated while the commands are declared, so --lang must be known before."""
    for number, argument in enumerate(arguments):
        if argument == "--lang" and number + 1 < len(arguments):
            os.environ["TUNELOOP_LANG"] = arguments[number + 1]
        elif argument.startswith("--lang="):
            os.environ["TUNELOOP_LANG"] = argument.partition("=")[2]
