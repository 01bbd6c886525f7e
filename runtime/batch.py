"""Many pictures through one model: reading, inference and writing at the same time, a few pictures ahead at most."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from edgevision.errors import InputError

Job = TypeVar("Job")
Read = TypeVar("Read")
Result = TypeVar("Result")

_THREADS = 2
"""Each for reading and for writing: decoders and encoders release Python's lock."""
_AHEAD = 3
"""Pictures that wait decoded for the engine, and results that wait to be written."""


def overlapped(
    jobs: Iterable[Job],
    read: Callable[[Job], Read],
    process: Callable[[Read], Result],
    write: Callable[[Job, Read, Result], None],
    *,
    at_once: int = 1,
) -> Iterator[tuple[Job, InputError | None]]:
    """Yield each job when it is written, in order, or with what made that one file fail.

    Each of the three runs in threads of its own, ``process`` in ``at_once`` of them. Errors that are not about one
    file, such as a full disk, are raised; what is being written then is finished first.
    """
    source = iter(jobs)
    readers, writers = ThreadPoolExecutor(_THREADS, "read"), ThreadPoolExecutor(_THREADS, "write")
    workers = ThreadPoolExecutor(at_once, "process")
    reading: deque[tuple[Job, Future[Read]]] = deque()
    working: deque[tuple[Job, Future[Future[None]]]] = deque()

    def pass_on(job: Job, picture: Future[Read]) -> Future[None]:
        content = picture.result()
        return writers.submit(write, job, content, process(content))

    try:
        while True:
            reading.extend((job, readers.submit(read, job)) for job in islice(source, _AHEAD - len(reading)))
            if not reading and not working:
                break
            if reading and len(working) < at_once + _AHEAD:
                job, picture = reading.popleft()
                working.append((job, workers.submit(pass_on, job, picture)))
            else:
                yield _finished(*working.popleft())
    finally:
        for pool in (readers, workers, writers):
            pool.shutdown(cancel_futures=True)


def _finished(job: Job, written: Future[Future[None]]) -> tuple[Job, InputError | None]:
    try:
        written.result().result()
    except InputError as error:
        return job, error
    return job, None
