"""A model or a composition that is open: what waits for it, and the threads that answer."""

import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, NamedTuple

from edgevision.cli.output import json_report
from edgevision.runtime.files.batch import ABOUT_ONE_FILE
from edgevision.runtime.serving.catalogue import OfferedComposition, OfferedModel, OfferedTask
from edgevision.runtime.serving.opened_model import open_offered
from edgevision.runtime.serving.refusals import FAULT, RefusalError, refusal_of
from edgevision.runtime.serving.request_queue import Admission, RequestQueue, Waiting
from edgevision.runtime.serving.settings import ServerSettings
from edgevision.runtime.serving.shared_engine import AbandonedError

_log = logging.getLogger(__name__)


class Timings(NamedTuple):
    """Seconds that a request spent in each stage."""

    queue: float
    preprocess: float
    infer: float
    postprocess: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a client gets.

    Attributes:
        picture: the encoded file, where one was asked for.
        document: JSON, where that was.
        timings: where the time went.
        batch: how many requests were answered together.
    """

    picture: bytes | None
    document: bytes | None
    timings: Timings
    batch: int


@dataclass(eq=False)
class _InWork:
    """A request on its way through the stages."""

    request: Waiting
    content: Any = None
    result: Any = None
    seconds: list[float] = field(default_factory=list)


class ServedModel:
    """Answers requests in threads of its own until it is closed."""

    def __init__(
        self,
        offered: OfferedModel | OfferedComposition,
        task: OfferedTask,
        settings: ServerSettings,
        admission: Admission,
        observe: Callable[[str, Answered], None],
    ) -> None:
        """Open the model, and tell ``observe`` of every answer.

        Raises:
            ModelFileError, DeviceError: it cannot be opened there.
        """
        self.offered = offered
        self._task = task.served
        self._admission = admission
        self._observe = observe
        self._opened = open_offered(offered, task, settings)
        self.facts, self.placement = self._opened.facts, self._opened.placement
        # What is the same in every document is written once.
        self._common = _encoded(json_report(self._opened.common))[:-1] + b","
        self.queue = RequestQueue(longest_wait=settings.max_wait, coming=lambda: admission.coming)
        self._lock = Lock()
        self.in_work = 0
        self.last_used = time.monotonic()
        self._threads = [
            Thread(target=self._answer_all, name=f"{offered.name} {number}", daemon=True)
            for number in range(self._opened.lanes)
        ]
        if self._task.batches and settings.max_batch > 1:
            # Who came first is not kept waiting for what only a crowd needs.
            self._threads.append(Thread(target=self._try_batches, args=(settings.max_batch,), daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits or is in work."""
        return not self.queue and not self.in_work

    def close(self) -> None:
        """Answer what waits, and free the model."""
        self.queue.close()
        for thread in self._threads:
            thread.join()
        self._opened.close()

    def _try_batches(self, most: int) -> None:
        self.queue.largest_batch = self._opened.largest_equal_batch(most)

    def _answer_all(self) -> None:
        while batch := self.queue.take():
            with self._lock:
                self.in_work += len(batch)
            try:
                self._answer(batch)
            finally:
                with self._lock:
                    self.in_work -= len(batch)
                    self.last_used = time.monotonic()

    def _answer(self, batch: Sequence[Waiting]) -> None:
        began = time.monotonic()
        works = [work for request in batch if (work := self._read(request)) is not None]
        for group in self._inferred(works):
            for work in group:
                self._finish(work, began, len(group))
        if batch:
            self._admission.took((time.monotonic() - began) / len(batch))

    def _read(self, request: Waiting) -> _InWork | None:
        began = time.monotonic()
        try:
            content = self._task.read(request.inputs, request.values)
        except Exception as error:
            _refuse(request, error)
            return None
        return _InWork(request, content, seconds=[time.monotonic() - began])

    def _inferred(self, works: list[_InWork]) -> list[list[_InWork]]:
        """Those that got a result, in the groups that went through the network together."""
        if not works:
            return []
        began = time.monotonic()
        requests = [work.request for work in works]
        values = requests[0].values
        try:
            with self._opened.working_for(requests):
                pipeline = self._opened.pipeline(values)
                results = self._task.answer(pipeline, [work.content for work in works], values)
        except AbandonedError:
            return []
        except Exception as error:
            if len(works) > 1 and isinstance(error, (*ABOUT_ONE_FILE, ValueError)):
                return [group for work in works for group in self._inferred([work])]
            for request in requests:
                _refuse(request, error)
            return []
        seconds = time.monotonic() - began
        for work, result in zip(works, results, strict=True):
            work.result = result
            work.seconds.append(seconds)
        return [works]

    def _finish(self, work: _InWork, began: float, batch: int) -> None:
        request, start = work.request, time.monotonic()
        try:
            picture = (
                None
                if request.kind is None
                else self._task.encoded(work.result, work.content, request.kind, request.values)
            )
            document = self._document(work, picture, start - began) if request.document else None
        except Exception as error:
            _refuse(request, error)
            return
        timings = Timings(began - request.arrived, work.seconds[0], work.seconds[1], time.monotonic() - start)
        answered = Answered(picture=picture, document=document, timings=timings, batch=batch)
        self._observe(self.offered.name, answered)
        request.loop.call_soon_threadsafe(_resolve, request, answered)

    def _document(self, work: _InWork, picture: bytes | None, seconds: float) -> bytes:
        request = work.request
        result: Mapping[str, Any] = {"input": request.inputs.name} | self._task.document(work.result, request.values)
        image = {} if picture is None else {"image": b64encode(picture).decode()}
        own = {"seconds": round(seconds, 3), "results": [result], "failures": []} | image
        return self._common + _encoded(own)[1:]


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _resolve(request: Waiting, answered: Answered) -> None:
    if not request.future.done():
        request.future.set_result(answered)


def _refuse(request: Waiting, error: Exception) -> None:
    refusal = refusal_of(error)
    if refusal.status == FAULT:
        _log.error("a request failed", exc_info=error)
    request.loop.call_soon_threadsafe(_reject, request, refusal)


def _reject(request: Waiting, refusal: RefusalError) -> None:
    if not request.future.done():
        request.future.set_exception(refusal)
