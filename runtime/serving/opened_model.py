"""What answers behind a queue of requests: a model on its engine, or the models of a composition."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Protocol

from edgevision.core.machine import usable_cores
from edgevision.modelfiles.composition_registry import open_composition
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.load import build_pipeline
from edgevision.runtime.serving.catalogue import OfferedComposition, OfferedModel, OfferedTask
from edgevision.runtime.serving.engine_choice import open_for_requests
from edgevision.runtime.serving.equal_batches import largest_equal_batch
from edgevision.runtime.serving.request_queue import Waiting
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.serving.shared_engine import SharedEngine
from edgevision.runtime.tasks.served import Values

_LANES = 2
"""Threads that answer: while the network works on one batch, the next is decoded and the last is encoded."""

_PIPELINES = 8
"""Kept for other options, such as other least scores; each is small beside its engine, which they share."""

_COMPOSITES = 2
"""Kept for other options; each has engines of its own."""


class Opened(Protocol):
    """What is open for requests.

    Attributes:
        facts: device and engine.
        common: what is the same in every document.
        placement: what ran, for people.
        lanes: how many threads it can use.
    """

    facts: dict[str, Any]
    common: dict[str, Any]
    placement: str
    lanes: int

    def working_for(self, requests: Sequence[Waiting]) -> AbstractContextManager[None]:
        """What this thread runs meanwhile is for these."""
        ...

    def pipeline(self, values: Values) -> Any:
        """The pipeline for requests with those options; used within :meth:`working_for` only."""
        ...

    def largest_equal_batch(self, most: int) -> int:
        """See :mod:`.equal_batches`."""
        ...

    def close(self) -> None:
        """Free all of it."""
        ...


def open_offered(offered: OfferedModel | OfferedComposition, task: OfferedTask, settings: ServerSettings) -> Opened:
    """Open what is offered.

    Raises:
        ModelFileError, DeviceError: it cannot be opened there.
    """
    if isinstance(offered, OfferedComposition):
        return _OpenedComposition(offered, task, settings)
    return _OpenedModel(offered, task, settings)


class _Kept:
    """Pipelines by the options that they are made with; those that were used last stay."""

    def __init__(self, most: int, make: Callable[..., Any], drop: Callable[[Any], None] = lambda _: None) -> None:
        self._most, self._make, self._drop = most, make, drop
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, options: Mapping[str, Any]) -> Any:
        key = repr(sorted(options.items()))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._make(**options)
                if len(self._kept) > self._most:
                    self._drop(self._kept.popitem(last=False)[1])
            self._kept.move_to_end(key)
            return self._kept[key]

    def clear(self) -> None:
        while self._kept:
            self._drop(self._kept.popitem()[1])


class _OpenedModel:
    """A model: one engine, and pipelines on it."""

    def __init__(self, offered: OfferedModel, task: OfferedTask, settings: ServerSettings) -> None:
        self._metadata, self._served = offered.metadata, task.served
        self._engine, alone = open_for_requests(offered, task, settings)
        try:
            first = build_pipeline(self._engine, self._metadata)
            self.lanes = max(_LANES, usable_cores() if alone else first.at_once)
            self._shared = SharedEngine(self._engine, one_at_a_time=first.at_once == 1 and not alone)
            self.facts = engine_facts(self._engine)
            self.common = {"model": offered.name, "name": self._metadata.name, **self.facts}
            self.placement = f"{self._engine.name} on {self._engine.device}"
        except Exception:
            self._engine.close()
            raise
        self._pipelines = _Kept(_PIPELINES, lambda **options: build_pipeline(self._shared, self._metadata, **options))

    def working_for(self, requests: Sequence[Waiting]) -> AbstractContextManager[None]:
        return self._shared.working_for(requests)

    def pipeline(self, values: Values) -> Any:
        return self._pipelines.get(self._served.pipeline_options(values))

    def largest_equal_batch(self, most: int) -> int:
        return largest_equal_batch(self._shared, self._metadata, most)

    def close(self) -> None:
        self._engine.close()


class _OpenedComposition:
    """A composition: which models it needs depends on what is asked for, so that they are opened then."""

    lanes = _LANES

    def __init__(self, offered: OfferedComposition, task: OfferedTask, settings: ServerSettings) -> None:
        self._served = task.served
        self.facts = {"device": settings.device, "engine": "composition"}
        self.common = {"model": offered.name, "device": settings.device}
        self.placement = f"several models on {settings.device}"
        self._turn = Lock()
        self._composites = _Kept(
            _COMPOSITES,
            lambda **options: open_composition(
                offered.name,
                device=settings.device,
                threads=settings.threads,
                allow_fallback=settings.allow_fallback,
                **options,
            ),
            lambda composite: composite.close(),
        )

    @contextmanager
    def working_for(self, requests: Sequence[Waiting]) -> Iterator[None]:
        # One at a time: what is closed to make room for others is then not in use.
        with self._turn:
            yield

    def pipeline(self, values: Values) -> Any:
        return self._composites.get(self._served.pipeline_options(values))

    def largest_equal_batch(self, most: int) -> int:
        return 1

    def close(self) -> None:
        self._composites.clear()
