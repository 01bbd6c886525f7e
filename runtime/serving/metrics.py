"""What Prometheus is told of a server: counts and times of requests, batches, what waits, and memory."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from edgevision.core.process_memory import resident_mb
from edgevision.runtime.serving.served_model import Answered, Timings

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where workers leave their figures for each other, if there are several."""


class Metrics:
    """The figures of one process, or of all workers where :data:`FOLDER_VARIABLE` names a folder."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        common: dict[str, Any] = {"registry": self._registry, "namespace": "edgevision"}
        self._requests = Counter("requests", "Requests by how they ended", ("task", "status"), **common)
        self._latency = Histogram(
            "request_seconds", "From the first byte to the answer", ("task",), buckets=_SECONDS, **common
        )
        self._stage = Histogram("stage_seconds", "Time in each stage", ("model", "stage"), buckets=_SECONDS, **common)
        self._batch = Histogram(
            "batch_size", "Requests that were answered together", ("model",), buckets=(1, 2, 4, 8, 16, 32), **common
        )
        live: dict[str, Any] = common | {"multiprocess_mode": "livesum"}
        self._open = Gauge("open_requests", "Requests that are received, wait or are in work", ("task",), **live)
        self._resident = Gauge("resident_bytes", "Resident memory", **live)
        self._loaded = Gauge("model_loaded", "Whether a model is open", ("model", "device", "engine"), **live)

    def ended(self, task: str, status: int, seconds: float) -> None:
        """A request is over."""
        requests, latency = self._of_task(task, status)
        requests.inc()
        latency.observe(seconds)

    # To look labels up takes longer than to count, and this lives as long as the process.
    @cache  # noqa: B019
    def _of_task(self, task: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(task, status), self._latency.labels(task)

    @cache  # noqa: B019
    def _of_model(self, model: str) -> tuple[Histogram, list[Histogram]]:
        return self._batch.labels(model), [self._stage.labels(model, name) for name in Timings._fields]

    def answered(self, model: str, answered: Answered) -> None:
        """A model has answered."""
        batch, stages = self._of_model(model)
        batch.observe(answered.batch)
        for stage, seconds in zip(stages, answered.timings, strict=True):
            stage.observe(seconds)

    def open_requests(self, task: str, count: int) -> None:
        """How many requests are open now."""
        self._open.labels(task).set(count)

    def loaded(self, model: str, device: str, engine: str, *, open_now: bool) -> None:
        """A model was opened or closed."""
        self._loaded.labels(model, device, engine).set(int(open_now))

    def text(self) -> bytes:
        """All of it, in Prometheus's format for text."""
        self._resident.set((resident_mb() or 0) * 2**20)
        registry = self._registry
        if FOLDER_VARIABLE in os.environ:
            registry = CollectorRegistry()
            # It adds itself to the registry.
            collect: Callable[[CollectorRegistry], object] = MultiProcessCollector
            collect(registry)
        return generate_latest(registry)
