"""An engine that several pipelines and threads share, and that does nothing for requests nobody waits for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock, local

from edgevision.runtime.engines.engine import Array, Closeable, Engine
from edgevision.runtime.serving.request_queue import Waiting


class AbandonedError(Exception):
    """Everybody who waited has gone, or their time is over."""


class SharedEngine(Closeable):
    """Passes on to ``engine``, whose facts it has; closing it leaves that open."""

    def __init__(self, engine: Engine, *, one_at_a_time: bool) -> None:
        self._engine = engine
        self._turn: AbstractContextManager[object] = Lock() if one_at_a_time else nullcontext()
        self._work = local()
        self.name = engine.name
        self.device = engine.device
        self.provider = engine.provider
        self.assignment = engine.assignment
        self.inputs = engine.inputs
        self.outputs = engine.outputs

    @contextmanager
    def working_for(self, requests: Sequence[Waiting]) -> Iterator[None]:
        """What this thread runs meanwhile is for these; :class:`AbandonedError` once nobody waits for any of them."""
        self._work.requests = requests
        try:
            yield
        finally:
            self._work.requests = ()

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        requests: Sequence[Waiting] = getattr(self._work, "requests", ())
        if requests and all(request.abandoned for request in requests):
            raise AbandonedError
        with self._turn:
            return self._engine.run(inputs)

    def close(self) -> None:
        """Leave it to whoever opened the engine."""
