"""Servers of one and the same model, side by side in processes of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

import psutil

from benchmarks.release import sentiment_release
from benchmarks.serve_vs_plain import started

LABEL = re.compile(rb'"label":\s*"(\w+)"|^\["(\w+)"\]')
"""Where each of them writes its answer."""


@dataclass(frozen=True)
class Contender:
    """One way to serve the model.

    Args:
        module: of this package, which starts it.
        more: its arguments behind model and port.
        settings: in words.
        path: of its route.
        listed: whether its body is a list of texts.
        package: what must be there in the peers' interpreter; empty for what runs in this one.
    """

    module: str
    more: tuple[str, ...]
    settings: str
    path: str = "/predict"
    listed: bool = False
    package: str = ""

    def body(self, text: str) -> bytes:
        """What asks for one text."""
        return json.dumps({"texts": [text]} if self.listed else {"text": text}).encode()


CONTENDERS = {
    "tuneloop": Contender("our_server", (), "defaults, the release's own engine", path="/v1/predict"),
    "tuneloop, PyTorch": Contender(
        "our_server", ("off", "torch-fp32"), "defaults, the peers' engine", path="/v1/predict"
    ),
    "LitServe": Contender(
        "litserve_server", ("batching",), "max_batch_size 8, batch_timeout 0.01, fast_queue", package="litserve"
    ),
    "LitServe, defaults": Contender("litserve_server", ("defaults",), "one text at a time", package="litserve"),
    "BentoML": Contender(
        "bentoml_server", ("batching",), "batchable, max_batch_size 100, max_latency_ms 60000", listed=True,
        package="bentoml",
    ),
    "BentoML, defaults": Contender("bentoml_server", ("defaults",), "one text at a time", package="bentoml"),
    "plain": Contender("plain_server", (), "FastAPI around transformers.pipeline"),
}  # fmt: skip
OURS, PLAIN = "tuneloop", "plain"


@dataclass(frozen=True)
class Running:
    """A contender that answers.

    Args:
        url: of its route.
        bodies: what it is asked for each text.
        process: it, with what it has started.
    """

    url: str
    bodies: list[bytes]
    process: psutil.Process

    @property
    def cpu_s(self) -> float:
        """Seconds of processors that it has used, whatever else the machine had to do."""
        return sum(each.cpu_times().user + each.cpu_times().system for each in self._all())

    @property
    def memory_mb(self) -> int:
        """Resident memory; what its processes share counts for each."""
        return sum(each.memory_info().rss for each in self._all()) >> 20

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def version_of(package: str, python: str) -> str | None:
    """The version of a package in another interpreter; None where it does not import."""
    program = f"import {package}, importlib.metadata as found; print(found.version({package!r}))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    return done.stdout.split()[-1] if done.returncode == 0 else None


def able(names: Sequence[str], python: str) -> dict[str, str]:
    """Those that can run here, with the version of what they need; why another cannot is printed."""
    found: dict[str, str] = {}
    for name in names:
        package = CONTENDERS[name].package
        version = version_of(package, python) if package else ""
        if version is None:
            print(f"  {name} is left out: {python} cannot import {package}; see --peers-python", flush=True)
        else:
            found[name] = f"{package} {version}".strip()
    return found


@contextmanager
def running(names: Sequence[str], texts: Sequence[str], python: str) -> Iterator[dict[str, Running]]:
    """All of them, each once it answers."""
    release = sentiment_release()
    with ExitStack() as stack:
        found = {}
        for name in names:
            each = CONTENDERS[name]
            bodies = [each.body(text) for text in texts]
            model = release.id if each.module == "our_server" else str(release.path)
            interpreter = python if each.package else sys.executable
            url, process = stack.enter_context(
                started(each.module, model, each.path, bodies[0], *each.more, python=interpreter)
            )
            found[name] = Running(url, bodies, process)
            print(f"  {name} answers at {url}", flush=True)
        yield found


def labels(each: Running, count: int) -> list[str]:
    """Its answers to the first texts, asked one after the other.

    Raises:
        SystemExit: if an answer has no label.
    """
    return [_label(each.url, body) for body in each.bodies[:count]]


def _label(url: str, body: bytes) -> str:
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
        told = answer.read()
    found = LABEL.search(told)
    if found is None:
        raise SystemExit(f"{url} told no label: {told[:200]!r}")
    return (found[1] or found[2]).decode()
