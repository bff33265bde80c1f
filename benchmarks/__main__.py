"""`python -m benchmarks [NAME ...]`: measure, record, write docs/benchmarks.md and benchmarks/report.html."""

from __future__ import annotations

import argparse
import os
import time


def main() -> None:
    """Run the named benchmarks, or all of them."""
    from benchmarks import docs, report
    from benchmarks.registry import BENCHMARKS
    from benchmarks.results import record
    from tuneloop.models.device import choose_device

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--docs-only", action="store_true", help="only write both pages from what is recorded")
    options = parser.parse_args()
    unknown = set(options.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(f"no benchmark called {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    for name in () if options.docs_only else options.names or BENCHMARKS:
        benchmark, begin = BENCHMARKS[name], time.perf_counter()
        print(name, flush=True)
        if benchmark.on_gpu and choose_device() == "cpu":
            print("  left out: there is no GPU that torch sees")
            continue
        found = benchmark.run(name)
        record(found)
        value = found.ratio if benchmark.field == "ratio" else found.ours_value
        verdict = "met" if benchmark.met(value) else "NOT met"
        print(
            f"  ratio {found.ratio} ({found.low} to {found.high}), ours {found.ours_value} and peer "
            f"{found.peer_value} {found.unit}; bar {benchmark.bar} {verdict}; took {time.perf_counter() - begin:.0f} s"
        )
    docs.write()
    print(f"pages: {docs.PAGE}, {report.write()}")


if __name__ == "__main__":
    main()
