"""Many pictures through one model: reading, inference and writing at the same time, a few pictures ahead at most."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar, cast

from edgevision.core.errors import DeviceMemoryError, InputError, MissingExtraError, NotFiniteError

if TYPE_CHECKING:
    from concurrent.futures import Future

Job = TypeVar("Job")
Read = TypeVar("Read")
Result = TypeVar("Result")
Attempted = TypeVar("Attempted")

_THREADS = 2
"""Each for reading and for writing: decoders and encoders release Python's lock."""
_AHEAD = 3
"""Pictures that wait decoded for the engine, and results that wait to be written."""


ABOUT_ONE_FILE = (InputError, NotFiniteError, DeviceMemoryError, MissingExtraError, MemoryError)
"""What may go wrong with one file and with none of the others, which are then done all the same."""


def failure_message(name: str, error: BaseException) -> str:
    """What to tell of one of :data:`ABOUT_ONE_FILE`, so that it says which file it is about."""
    reason = "it takes more memory than there is" if isinstance(error, MemoryError) else str(error)
    return reason if name in reason else f"{name}: {reason}"


def each_done(
    jobs: Iterable[Job], work: Callable[[Job], Result], failed: Callable[[Job, Exception], None]
) -> Iterator[tuple[Job, Result]]:
    """Yield each job with its result, one after the other; those about whose file something is wrong are ``failed``.

    Errors that are not about one file are raised, and so is that of a missing extra where all files need it.
    """
    for job, error, result in each_attempted(jobs, work):
        if error is not None:
            failed(job, error)
        else:
            yield job, cast(Result, result)


def each_attempted(
    jobs: Iterable[Job], work: Callable[[Job], Result]
) -> Iterator[tuple[Job, Exception | None, Result | None]]:
    """As :func:`each_done`, with those that failed in their places: what made them fail, and no result."""
    errors: list[Exception | None] = []
    for job in jobs:
        error, result = None, None
        try:
            result = work(job)
        except ABOUT_ONE_FILE as about_it:
            error = about_it
        errors.append(error)
        yield job, error, result
    raise_missing_extra(errors)


def overlapped(
    jobs: Iterable[Job],
    read: Callable[[Job], Read],
    process: Callable[[Read], Result],
    write: Callable[[Job, Result], None],
    *,
    at_once: int = 1,
) -> Iterator[tuple[Job, Exception | None]]:
    """Yield each job when it is written, in order, or with what made that one file fail.

    Each of the three runs in threads of its own, so that what processes never waits for a file. Where pictures are
    worth processing several ``at_once``, each of so many threads takes its own from beginning to end instead: more
    threads than cores would take Python's lock from each other. Errors that are not about one file, such as a full
    disk, are raised, and so is that of a missing extra where all files need it; what is being written then is finished
    first. What was read is let go before the result is written: both may be large.
    """
    from concurrent.futures import ThreadPoolExecutor

    source = iter(jobs)
    readers, writers = ThreadPoolExecutor(_THREADS, "read"), ThreadPoolExecutor(_THREADS, "write")
    workers = ThreadPoolExecutor(at_once, "process")

    def whole(job: Job) -> None:
        write(job, process(read(job)))

    def in_stages(job: Job) -> "Future[None]":
        reading = readers.submit(read, job)
        processing = workers.submit(lambda: process(reading.result()))
        return writers.submit(lambda: write(job, processing.result()))

    errors: list[Exception | None] = []
    in_work: deque[tuple[Job, Future[None]]] = deque()
    try:
        while True:
            for job in islice(source, at_once + 2 * _AHEAD - len(in_work)):
                in_work.append((job, workers.submit(whole, job) if at_once > 1 else in_stages(job)))
            if not in_work:
                break
            oldest, written = in_work.popleft()
            errors.append(_failure(written))
            yield oldest, errors[-1]
        raise_missing_extra(errors)
    finally:
        for pool in (readers, workers, writers):
            pool.shutdown(cancel_futures=True)


def overlapped_batches(
    jobs: Sequence[Job],
    size: int,
    read: Callable[[Job], Read],
    process: Callable[[list[Read]], Sequence[Result]],
    write: Callable[[Job, Result], None],
) -> Iterator[tuple[Job, Exception | None]]:
    """As :func:`overlapped`, ``size`` files at once.

    Where something is wrong with one of them that shows only in ``process``, each is processed by itself.
    """
    failures: dict[int, Exception] = {}

    def attempt(number: int, work: Callable[[], Attempted]) -> list[Attempted]:
        try:
            return [work()]
        except ABOUT_ONE_FILE as error:
            failures[number] = error.with_traceback(None)
            return []

    def read_batch(numbers: Sequence[int]) -> list[tuple[int, Read]]:
        return [(number, one) for number in numbers for one in attempt(number, partial(read, jobs[number]))]

    def process_batch(contents: list[tuple[int, Read]]) -> list[tuple[int, Result]]:
        try:
            results = process([content for _, content in contents]) if contents else ()
        except ABOUT_ONE_FILE:
            return [
                (number, one)
                for number, content in contents
                for one in attempt(number, lambda content=content: process([content])[0])  # type: ignore[misc]
            ]
        return [(number, result) for (number, _), result in zip(contents, results, strict=True)]

    def write_batch(numbers: Sequence[int], results: list[tuple[int, Result]]) -> None:
        for number, result in results:
            attempt(number, partial(write, jobs[number], result))

    batches = [range(start, min(start + size, len(jobs))) for start in range(0, len(jobs), size)]
    for numbers, _ in overlapped(batches, read_batch, process_batch, write_batch):
        yield from ((jobs[number], failures.get(number)) for number in numbers)
    if len(failures) == len(jobs):
        raise_missing_extra(list(failures.values()))


def raise_missing_extra(errors: Sequence[Exception | None]) -> None:
    """A format that needs an extra is one file's misfortune among others, and the answer where it is all of them."""
    if errors and all(isinstance(error, MissingExtraError) for error in errors):
        raise cast(MissingExtraError, errors[0])


def _failure(written: "Future[None]") -> Exception | None:
    try:
        written.result()
    except ABOUT_ONE_FILE as error:
        # The places that it passed through hold the picture, and memory may be what is short.
        return error.with_traceback(None)
    return None
