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
) -> Iterator[tuple[Job, InputError | None]]:
    """Yield each job when it is written, in order, or with what made that one file fail.

    ``process`` runs in the caller's thread, ``read`` and ``write`` in others. Errors that are not about one file, such
    as a full disk, are raised; what is being written then is finished first.
    """
    source = iter(jobs)
    readers, writers = ThreadPoolExecutor(_THREADS, "read"), ThreadPoolExecutor(_THREADS, "write")
    reading: deque[tuple[Job, Future[Read]]] = deque()
    writing: deque[tuple[Job, Future[None] | InputError]] = deque()
    try:
        while True:
            reading.extend((job, readers.submit(read, job)) for job in islice(source, _AHEAD - len(reading)))
            if not reading:
                break
            job, picture = reading.popleft()
            try:
                content = picture.result()
                writing.append((job, writers.submit(write, job, content, process(content))))
            except InputError as error:
                writing.append((job, error))
            while len(writing) > _AHEAD:
                yield _finished(*writing.popleft())
        while writing:
            yield _finished(*writing.popleft())
    finally:
        readers.shutdown(cancel_futures=True)
        writers.shutdown(cancel_futures=True)


def _finished(job: Job, written: Future[None] | InputError) -> tuple[Job, InputError | None]:
    if isinstance(written, InputError):
        return job, written
    try:
        written.result()
    except InputError as error:
        return job, error
    return job, None
