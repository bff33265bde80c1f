"""Figures for Prometheus. No label ever holds a text or a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from tuneloop.inference.continuous import Draft

LATENCIES_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
BATCH_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class EventCounts(Collector):
    """What became of events, asked for when figures are.

    Args:
        counts: tells it by outcome; `failed` is no event but a write.
        waiting: tells how many wait.
    """

    def __init__(self, counts: Callable[[], Mapping[str, int]], waiting: Callable[[], int]) -> None:
        self._counts, self._waiting = counts, waiting

    def collect(self) -> Iterator[Metric]:
        """One family for each figure."""
        counts = dict(self._counts())
        failed = counts.pop("failed", 0)
        events = CounterMetricFamily("tuneloop_events", "Events by what became of them.", labels=["outcome"])
        for outcome, count in counts.items():
            events.add_metric([outcome], count)
        yield events
        yield CounterMetricFamily("tuneloop_event_writes_failed", "Writes of events that were refused.", value=failed)
        yield GaugeMetricFamily("tuneloop_events_waiting", "Events that wait for the disk.", value=self._waiting())


class Meter:
    """All counters of one server.

    Args:
        queue: tells how many texts wait.
    """

    def __init__(self, queue: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("tuneloop_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self._known: dict[tuple[str, int], Counter] = {}
        self._refused = Counter(
            "tuneloop_requests_refused", "Requests refused by the rate or by a rule on their text.", ["reason"],
            registry=self.registry,
        )  # fmt: skip
        self._texts = Counter("tuneloop_texts", "Texts answered.", ["release"], registry=self.registry)
        self._sources = Counter(
            "tuneloop_answers", "Answers to texts by where they came from: computed, shared, known.", ["source"],
            registry=self.registry,
        )  # fmt: skip
        self._dropped = Counter(
            "tuneloop_texts_dropped", "Texts dropped before the model ran.", ["reason"], registry=self.registry
        )
        self._failed = Counter("tuneloop_texts_failed", "Texts on which the model failed.", registry=self.registry)
        self.seconds = Histogram(
            "tuneloop_predict_seconds", "Seconds from a read request to its answer.", buckets=LATENCIES_S,
            registry=self.registry,
        )  # fmt: skip
        self._batches = Histogram(
            "tuneloop_batch_texts", "Distinct texts computed together.", buckets=BATCH_TEXTS, registry=self.registry
        )
        self._loaded = Gauge(
            "tuneloop_loaded", "The release that answers.", ["release", "engine"], registry=self.registry
        )
        self._candidate = Gauge(
            "tuneloop_candidate", "The release that is being tried.", ["release", "stage"], registry=self.registry
        )
        self._tried = Counter(
            "tuneloop_tried_requests", "Requests to a release that is being tried, by what became of them.",
            ["stage", "outcome"], registry=self.registry,
        )  # fmt: skip
        self._flops = Counter(
            "tuneloop_flops", "Operations that the texts computed need, padding not counted.", ["release"],
            registry=self.registry,
        )  # fmt: skip
        self._busy = Counter("tuneloop_model_seconds", "Seconds in which a model computed.", ["release"],
                             registry=self.registry)  # fmt: skip
        self._peak = Gauge(
            "tuneloop_peak_flops", "Operations a second that this machine was measured to do in the engine's format.",
            ["engine"], registry=self.registry,
        )  # fmt: skip
        waiting = Gauge("tuneloop_queue_texts", "Texts that wait for the model.", registry=self.registry)
        waiting.set_function(queue)

        self._tokens = Counter(
            "tuneloop_tokens", "Tokens of prompts, of their known beginnings, and of answers.", ["release", "kind"],
            registry=self.registry,
        )  # fmt: skip
        self.first_token_seconds = Histogram(
            "tuneloop_first_token_seconds", "Seconds until the first token of an answer.", buckets=LATENCIES_S,
            registry=self.registry,
        )  # fmt: skip
        self._feedback = Counter("tuneloop_feedback", "Feedback acknowledged.", ["verdict"], registry=self.registry)
        self._known_bytes = Gauge("tuneloop_known_bytes", "Memory of answers that are kept.", registry=self.registry)
        self._running = Gauge("tuneloop_sequences_running", "Answers that are being written.", registry=self.registry)
        self._waiting = Gauge("tuneloop_sequences_waiting", "Prompts that wait.", registry=self.registry)

    def watch_sequences(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Ask these for the answers that are being written and for the prompts that wait."""
        self._running.set_function(running)
        self._waiting.set_function(waiting)

    def watch_events(self, counts: Callable[[], Mapping[str, int]], waiting: Callable[[], int]) -> None:
        """Ask these for what became of events, and how many wait."""
        self.registry.register(EventCounts(counts, waiting))

    def fed_back(self, verdict: str) -> None:
        """Count feedback that was acknowledged: new, or the same as before."""
        self._feedback.labels(verdict).inc()

    def written(self, release: str, draft: Draft) -> None:
        """Count an answer that was written to its end."""
        kinds = {
            "prompt": len(draft.prompt), "reused": draft.reused_tokens, "generated": draft.chosen_tokens
        }  # fmt: skip
        for kind, tokens in kinds.items():
            self._tokens.labels(release, kind).inc(tokens)

    def answered(self, route: str, status: int) -> None:
        """Count one response."""
        key = (route, status)
        if key not in self._known:
            self._known[key] = self._requests.labels(route, str(status))
        self._known[key].inc()

    def refused(self, reason: str) -> None:
        """Count a request that was refused: rate, or the name of a rule behind "rule "."""
        self._refused.labels(reason).inc()

    def batch(self, texts: Mapping[str, int], *, known: int, computed: int, failed: int) -> None:
        """Count one batch.

        Args:
            texts: how many were asked for, of each release.
            known: how many of them had been answered before.
            computed: how many different ones were computed; the rest had their answer together with an equal text.
        """
        for release, count in texts.items():
            self._texts.labels(release).inc(count)
        counts = {"known": known, "computed": computed, "shared": sum(texts.values()) - known - computed}
        for source, count in counts.items():
            self._sources.labels(source).inc(count)
        if computed:
            self._batches.observe(computed)
        self._failed.inc(failed)

    def computed(self, release: str, *, seconds: float, flops: float) -> None:
        """Count what a model did: for how long, and how many operations the texts needed (0: not known)."""
        self._busy.labels(release).inc(seconds)
        self._flops.labels(release).inc(flops)

    def watch_known(self, size_bytes: Callable[[], int]) -> None:
        """Ask this for the memory of known answers."""
        self._known_bytes.set_function(size_bytes)

    def dropped(self, reason: str, texts: int) -> None:
        """Count texts that were dropped: deadline or client_gone, of a model that writes also refused or failed."""
        self._dropped.labels(reason).inc(texts)

    def loaded(self, releases: Iterable[str], engine: str, *, peak: float | None = None) -> None:
        """Name the releases that answer from now on; `peak` is the machine's best in the engine's format."""
        self._loaded.clear()
        for release in releases:
            self._loaded.labels(release, engine).set(1)
        self._peak.clear()
        if peak:
            self._peak.labels(engine).set(peak)

    def trying(self, release: str | None, stage: str = "") -> None:
        """Name the release that is being tried from now on; None for none."""
        self._candidate.clear()
        if release is not None:
            self._candidate.labels(release, stage).set(1)

    def tried(self, stage: str, outcome: str) -> None:
        """Count a request to the release that is being tried: answered, failed or dropped."""
        self._tried.labels(stage, outcome).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
