"""`python -m benchmarks [NAME ...]`: measure, record, write docs/benchmarks.md and benchmarks/report.html.

Every line is recorded as soon as it is measured. What was interrupted goes on with `--resume`, and a line that fails
stops no other.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks.registry import BENCHMARKS, Benchmark
from benchmarks.results import HERE

LEFT = HERE / ".cache" / "left.json"
"""The names that are yet to be measured of all of them; there while some are."""


def main(arguments: Sequence[str] | None = None, *, left: Path = LEFT) -> int:
    """Run the named benchmarks, or all of them; the exit status: 1 if one failed, 130 if it was interrupted."""
    from benchmarks import docs, report

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--resume", action="store_true", help="measure what the last run of all has left")
    parser.add_argument("--docs-only", action="store_true", help="only write both pages from what is recorded")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    if options.resume and (options.names or not left.is_file()):
        parser.error(
            "--resume takes no names" if options.names else "nothing is left to go on with; leave out --resume"
        )
    failed: list[str] = []
    if not options.docs_only:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        try:
            if options.names:
                failed = measure(options.names)
            else:
                left_over = json.loads(left.read_text(encoding="utf-8")) if options.resume else BENCHMARKS
                failed = measure([name for name in BENCHMARKS if name in left_over], left)
        except KeyboardInterrupt:
            print("\nstopped; go on with: python -m benchmarks --resume" if not options.names else "\nstopped")
            return 130
    docs.write()
    print(f"pages: {docs.PAGE}, {report.write()}")
    if failed:
        print(f"failed, see above: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def measure(names: Sequence[str], left: Path | None = None) -> list[str]:
    """Measure and record one after the other; the names of those that failed.

    Args:
        left: a file of the names that are yet to be measured, kept up to date.
    """
    failed: list[str] = []
    for number, name in enumerate(names, 1):
        if left:
            _write(left, [*failed, *names[number - 1 :]])
        print(f"{name} ({number} of {len(names)})", flush=True)
        try:
            _measure(name, BENCHMARKS[name])
        except Exception:  # whatever it is, the others are measured all the same, and the end says so
            traceback.print_exc()
            failed.append(name)
    if left:
        _write(left, failed)
    return failed


def _measure(name: str, benchmark: Benchmark) -> None:
    from benchmarks.results import record
    from tuneloop.models.device import choose_device

    if benchmark.on_gpu and choose_device() == "cpu":
        print("  left out: there is no GPU that torch sees")
        return
    begin = time.perf_counter()
    found = benchmark.run(name)
    record(found)
    value = found.ratio if benchmark.field == "ratio" else found.ours_value
    verdict = "met" if benchmark.met(value) else "NOT met"
    print(
        f"  ratio {found.ratio} ({found.low} to {found.high}), ours {found.ours_value} and peer "
        f"{found.peer_value} {found.unit}; bar {benchmark.bar} {verdict}; took {time.perf_counter() - begin:.0f} s"
    )


def _write(left: Path, names: Sequence[str]) -> None:
    from tuneloop.core.fsio import write_json

    left.parent.mkdir(parents=True, exist_ok=True)
    if names:
        write_json(left, list(names))
    else:
        left.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
