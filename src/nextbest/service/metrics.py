"""What Prometheus scrapes: one registry per application, right also with several workers.

With several workers `prometheus_client` keeps its numbers in files of a shared folder (its
multiprocess mode, switched on by `PROMETHEUS_MULTIPROC_DIR` before the import, which
`server.serve` does); a scrape of any worker then tells the sum over all of them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

MetricSource = Callable[[], Iterable[Metric]]
"""Metrics computed at the moment of a scrape."""


class _Recommended(Protocol):
    @property
    def source(self) -> str: ...


class _Product(Protocol):
    @property
    def product_id(self) -> str: ...


class ServiceMetrics:
    """Every number the service counts, and the text of a scrape.

    `http_request_duration_seconds`, `http_requests_total` and `prediction_requests_total` have the names and
    labels of the first service of bank products, so that its dashboards go on; all others begin with `nextbest_`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._duration = Histogram(
            "nextbest_http_request_duration_seconds",
            "Time from the first byte of a request read to its answer sent.",
            ("method", "route"),
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._requests = Counter(
            "nextbest_http_requests", "Requests by status.", ("method", "route", "status"), registry=registry
        )
        self._items = Counter(
            "nextbest_recommendations",
            "Recommended items by the model or fallback they came from.",
            ("source",),
            registry=registry,
        )
        self._answers = Counter(
            "nextbest_answers", "Answers by whether the user is known.", ("known",), registry=registry
        )
        self._events = Counter(
            "nextbest_events", "Events by what became of them.", ("result",), registry=registry
        )
        self._batch = Histogram(
            "nextbest_batch_queries", "Queries answered together.", buckets=BATCH_BUCKETS, registry=registry
        )
        self._batch_wait = Histogram(
            "nextbest_batch_wait_seconds",
            "Time the oldest query of a batch waited for it.",
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._reloads = Counter(
            "nextbest_model_reloads", "Model folders looked at, by result.", ("result",), registry=registry
        )
        self._log_errors = Counter(
            "nextbest_event_log_errors", "Failures of the event log.", ("operation",), registry=registry
        )
        self.pending = Gauge(
            "nextbest_pending_queries",
            "Queries waiting or being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._endpoint_duration = Histogram(
            "http_request_duration_seconds",
            "Time from the first byte of a request read to its answer sent, by endpoint and status.",
            ("method", "endpoint", "status_code"),
            buckets=DURATION_BUCKETS_S,
            registry=registry,
        )
        self._endpoint_requests = Counter(
            "http_requests", "Requests.", ("method", "endpoint", "status_code"), registry=registry
        )
        self._predictions = Counter(
            "prediction_requests",
            "Requests to POST /predict: success, or failure whoever was to blame.",
            ("model_version", "status"),
            registry=registry,
        )
        self._product_answers = Counter(
            "nextbest_product_answers",
            "Answers about bank products by whether the client has stored history.",
            ("known",),
            registry=registry,
        )
        self._products = Counter(
            "nextbest_products_offered", "Products in answers.", ("product",), registry=registry
        )
        self._ignored = Counter(
            "nextbest_profile_values_ignored",
            "Values of posted profiles outside their domain, taken as missing.",
            ("field",),
            registry=registry,
        )
        self._decision_log_errors = Counter(
            "nextbest_decision_log_errors",
            "Requests for offers that were answered and whose decisions the log could not keep.",
            registry=registry,
        )
        self.products_pending = Gauge(
            "nextbest_products_pending_queries",
            "Questions about bank products waiting or being answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._seen: dict[tuple[str, str, int], tuple[Histogram, Counter, Histogram, Counter]] = {}
        self._seen_source: dict[str, Counter] = {}
        self._known = {known: self._answers.labels(str(known).lower()) for known in (True, False)}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the template, never the path, so that no id becomes a label."""
        if method not in METHODS:
            method = "OTHER"
        seen = self._seen.get((method, route, status))
        if seen is None:
            seen = self._seen[method, route, status] = (
                self._duration.labels(method, route),
                self._requests.labels(method, route, str(status)),
                self._endpoint_duration.labels(method, route, str(status)),
                self._endpoint_requests.labels(method, route, str(status)),
            )
        duration, requests, endpoint_duration, endpoint_requests = seen
        duration.observe(seconds)
        requests.inc()
        endpoint_duration.observe(seconds)
        endpoint_requests.inc()

    def prediction(self, version: str | None, *, ok: bool) -> None:
        """Count one request to POST /predict by the model that answers; None: there was none."""
        self._predictions.labels(version or "none", "success" if ok else "failure").inc()

    def product_answer(self, products: Iterable[_Product], *, known: bool) -> None:
        """Count one answer about bank products."""
        self._product_answers.labels(str(known).lower()).inc()
        for product in products:
            self._products.labels(product.product_id).inc()

    def ignored_value(self, field: str) -> None:
        """Count one value of a posted profile that was taken as missing; `field` is of the schema."""
        self._ignored.labels(field).inc()

    def decision_log_error(self) -> None:
        """Count one request whose decisions could not be kept."""
        self._decision_log_errors.inc()

    def answer(self, items: Iterable[_Recommended], *, known: bool) -> None:
        """Count one answer and the items in it."""
        self._known[known].inc()
        self.items(items)

    def items(self, items: Iterable[_Recommended]) -> None:
        """Count recommended items by source."""
        counts: dict[str, int] = {}
        for item in items:
            counts[item.source] = counts.get(item.source, 0) + 1
        for source, n in counts.items():
            counter = self._seen_source.get(source)
            if counter is None:
                counter = self._seen_source[source] = self._items.labels(source)
            counter.inc(n)

    def events(self, result: str, n: int) -> None:
        """Count events: `accepted`, `repeated` (an event id seen before) or `failed`."""
        if n:
            self._events.labels(result).inc(n)

    def batch(self, size: int, wait_s: float) -> None:
        """Count one batch of queries."""
        if size:
            self._batch.observe(size)
            self._batch_wait.observe(wait_s)

    def reload(self, result: str) -> None:
        """Count one look at a newer model folder: `swapped` or `failed`."""
        self._reloads.labels(result).inc()

    def log_error(self, operation: str) -> None:
        """Count one failure of the event log: `append` or `read`."""
        self._log_errors.labels(operation).inc()

    def scrape(self, live: MetricSource) -> bytes:
        """The text of a scrape: what all workers counted, and what `live` says of this one now."""
        folder = os.environ.get(MULTIPROC_DIR)
        counted = self.registry
        if folder:
            _forget_dead_workers(Path(folder))
            counted = CollectorRegistry()
            MultiProcessCollector(counted, path=folder)  # type: ignore[no-untyped-call]
        now = CollectorRegistry()
        now.register(_Live(live))
        return generate_latest(counted) + generate_latest(now)

    content_type = CONTENT_TYPE_LATEST


class _Live(Collector):
    """Metrics that are asked for, not counted."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        yield from self._source()


def gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    """One gauge with one value."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def worker_ended() -> None:
    """Take this process's live gauges out of the sum of a multiprocess service."""
    if folder := os.environ.get(MULTIPROC_DIR):
        mark_process_dead(os.getpid(), folder)  # type: ignore[no-untyped-call]


def _forget_dead_workers(folder: Path) -> None:
    """The same for workers that were killed before they could."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:  # alive, another user's
            continue
