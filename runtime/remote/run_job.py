"""One job on one board, from the login to the result, and on several boards at once."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from edgevision.core.errors import DeviceError, EdgevisionError, InputError, UnreachableError
from edgevision.runtime.remote.board import Board
from edgevision.runtime.remote.environment import Setup
from edgevision.runtime.remote.job import Fetched, Job
from edgevision.runtime.remote.session import Interrupted, Session

T = TypeVar("T")

log = logging.getLogger(__name__)

# Ending a job takes a few round trips; a board that is gone must not hold the user up.
_LONGEST_FAREWELL_S = 20.0


@dataclass(frozen=True)
class JobResult:
    """How a job on the board ``host`` ended: edgevision's exit code, what it printed, and its last error.

    ``output`` is as the board sent it, not safe to show; ``fetched`` says which files were written.
    """

    host: str
    code: int
    output: str
    error: str
    fetched: Fetched

    def raise_for_code(self) -> None:
        """Raise what edgevision raised on the board; nothing for code 0."""
        if self.code == 0:
            return
        kinds: Mapping[int, type[EdgevisionError]] = {2: InputError, 3: DeviceError}
        raise kinds.get(self.code, EdgevisionError)(f"{self.host}: {self.error or f'ended with code {self.code}'}")


def run_job(board: Board, job: Job, setup: Setup) -> JobResult:
    """Run the job, write its outputs to their targets if they pass, and clean up there.

    Raises:
        DeviceError: the board cannot be reached, prepared or kept; where it was lost for good, the job goes on.
        EdgevisionError: the board restarted in the middle or killed the job.
        OutputError: a target came to be meanwhile, and is to be left as it is.
    """
    environment = setup.environment(board.open(look_for_cuda=setup.may_use_cuda))
    identity = job.identity(environment.identity)
    try:
        board.start(job, environment)
        try:
            code = board.follow(identity)
        except UnreachableError:
            raise
        except EdgevisionError:
            with suppress(DeviceError):
                board.clear(identity)
            raise
        output = board.read_output(identity)
        fetched = board.fetch(identity, job.outputs)
    except Interrupted:
        board.abandon(identity)
        raise
    try:
        board.clear(identity)
    except DeviceError as error:
        log.warning("%s: the job's folder could not be removed: %s", board.host, error)
    return JobResult(board.host, code, output, board.last_error, fetched)


def run_on_each(hosts: Sequence[str], work: Callable[[Board], T]) -> list[T | EdgevisionError]:
    """What ``work`` gives for each board, all at once; its error in the place of one that failed.

    Ctrl-C ends what runs on the boards before it goes on its way.

    Raises:
        InputError: one is no host, or is given twice.
    """
    if len(set(hosts)) != len(hosts):
        raise InputError(f"--on names each board once, not {', '.join(hosts)}")
    boards: list[Board] = []
    results: dict[int, T | BaseException] = {}
    # Not Thread.join: a join that Ctrl-C interrupts takes the thread for ended ever after (Python 3.11).
    ended: SimpleQueue[tuple[int, T | BaseException]] = SimpleQueue()

    def do(number: int, board: Board) -> None:
        try:
            ended.put((number, work(board)))
        except BaseException as error:
            ended.put((number, error))

    try:
        boards.extend(Board(Session(host)) for host in hosts)
        for item in enumerate(boards):
            threading.Thread(target=do, args=item, daemon=True).start()
        try:
            while len(results) < len(boards):
                results |= [ended.get()]
        except KeyboardInterrupt:
            for board in boards:
                board.session.cancel()
            with suppress(Empty):
                while len(results) < len(boards):
                    results |= [ended.get(timeout=_LONGEST_FAREWELL_S)]
            raise
    finally:
        for board in boards:
            board.session.close()
    return [_checked(results[number]) for number in range(len(boards))]


def _checked(result: T | BaseException) -> T | EdgevisionError:
    if isinstance(result, BaseException) and not isinstance(result, EdgevisionError):
        raise result
    return result
