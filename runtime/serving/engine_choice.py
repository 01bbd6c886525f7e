"""On how many threads a model is opened for requests: a small one on one, so that each core answers its own request.

Sharing the operators of one request among cores pays where they are large. Of a small network the threads wait for each
other most of the time, and burn in waiting what other requests could use.
"""

import time

from edgevision.core.errors import EdgevisionError
from edgevision.modelfiles.signature_policy import verified_where_required
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.serving.catalogue import OfferedModel, OfferedTask
from edgevision.runtime.serving.settings import ServerSettings

_SMALL_SECONDS = 0.004
"""What one sample takes at most on one core for a network to be small."""

_TRIES = 5


def open_for_requests(offered: OfferedModel, task: OfferedTask, settings: ServerSettings) -> tuple[Engine, bool]:
    """The engine, and whether each thread that calls it computes alone, at the same time as others.

    Raises:
        ModelFileError, DeviceError: it cannot be opened there, or is no longer signed as it has to be.
    """
    # Other bytes may lie there than when the server started.
    path = verified_where_required(offered.path)
    needs = find_task(offered.task).engine_needs(offered.metadata)

    def opened(threads: int | None) -> Engine:
        return open_engine(
            path,
            settings.device,
            threads=threads,
            keep_memory=needs.keep_memory,
            allow_fallback=settings.allow_fallback,
            cache=True,
        )

    if settings.threads is None and task.served.batches:
        single = opened(1)
        if single.concurrent and _sample_seconds(single, offered) < _SMALL_SECONDS:
            return single, True
        single.close()
    engine = opened(needs.threads if settings.threads is None else settings.threads)
    return engine, engine.concurrent and settings.threads == 1


def _sample_seconds(engine: Engine, offered: OfferedModel) -> float:
    """What one sample takes at best; for ever where none is known."""
    task = find_task(offered.task)
    shape = task.sample_shape(offered.metadata)
    if shape is None or len(engine.inputs) != 1:
        return float("inf")
    try:
        ((sample,),) = task.samples(offered.metadata, shape, 1, 0)
        times = []
        for _ in range(_TRIES):
            began = time.perf_counter()
            engine.run({engine.inputs[0].name: sample})
            times.append(time.perf_counter() - began)
        return min(times)
    except (EdgevisionError, ValueError):
        return float("inf")
