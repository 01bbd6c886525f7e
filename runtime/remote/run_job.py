"""One job on one board, from the login to the result, and on several boards at once."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from edgevision.core.errors import DeviceError, EdgevisionError, InputError, UnreachableError
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.remote.board import Board, Brought, Check, Interrupted
from edgevision.runtime.remote.extras import wanted_extras
from edgevision.runtime.remote.facts import BoardFacts
from edgevision.runtime.remote.job import Environment, Job
from edgevision.runtime.remote.wheel import Wheel

T = TypeVar("T")

log = logging.getLogger(__name__)

# Ending a job takes a few round trips; a board that is gone must not hold the user up.
_LONGEST_FAREWELL_S = 20.0


@dataclass(frozen=True)
class JobResult:
    """How a job on the board called ``word`` ended: edgevision's exit code, what it printed, and its last error.

    ``output`` is as the board sent it, not safe to show; ``brought`` says which files were written.
    """

    word: str
    code: int
    output: str
    error: str
    brought: Brought

    def raise_for_code(self) -> None:
        """Raise what edgevision raised on the board; nothing for code 0."""
        if self.code == 0:
            return
        kinds: Mapping[int, type[EdgevisionError]] = {2: InputError, 3: DeviceError}
        raise kinds.get(self.code, EdgevisionError)(f"{self.word}: {self.error or f'ended with code {self.code}'}")


@dataclass(frozen=True)
class Needs:
    """What a board is prepared with: the ``wheel`` and what runs ``formats`` on ``devices``, from ``wheelhouse``."""

    wheel: Wheel
    formats: Collection[ModelFormat]
    devices: Collection[str]
    wheelhouse: Path | None = None

    @property
    def may_use_cuda(self) -> bool:
        """Whether it is worth looking for CUDA in the board's own Python, which takes seconds."""
        return any(device.split(":")[0] not in ("cpu", "npu", "openvino") for device in self.devices)

    def environment(self, facts: BoardFacts) -> Environment:
        """The environment for a board; what its own Python has of CUDA is taken from there."""
        extras = wanted_extras(self.formats, self.devices, facts.architecture)
        if facts.has_cuda:
            extras = tuple(extra for extra in extras if extra not in ("cpu", "gpu"))
        return Environment(self.wheel, extras, facts.has_cuda, self.wheelhouse)


def run_job(
    board: Board,
    job: Job,
    needs: Needs,
    *,
    bring: Mapping[str, Path],
    checks: Mapping[str, Check],
    force: bool = True,
) -> JobResult:
    """Run the job, write the files to ``bring`` by their names in the job's folder if they pass, and clean up there.

    Without ``force`` nothing is overwritten that came to be meanwhile.

    Raises:
        DeviceError: the board cannot be reached, prepared or kept; where it was lost for good, the job goes on.
        EdgevisionError: the board restarted in the middle or killed the job.
    """
    environment = needs.environment(board.open(look_for_cuda=needs.may_use_cuda))
    identity = job.identity(environment)
    try:
        board.begin(job, environment)
        try:
            code = board.follow(identity)
        except UnreachableError:
            raise
        except EdgevisionError:
            with suppress(DeviceError):
                board.clear(identity)
            raise
        output = board.read_output(identity)
        brought = board.bring(identity, bring, checks, force=force)
    except Interrupted:
        board.abandon(identity)
        raise
    try:
        board.clear(identity)
    except DeviceError as error:
        log.warning("%s: the job's folder could not be removed: %s", board.word, error)
    return JobResult(board.word, code, output, board.last_error, brought)


def on_each(words: Sequence[str], work: Callable[[Board], T]) -> list[T | EdgevisionError]:
    """What ``work`` gives for each board, all at once; its error in the place of one that failed.

    Ctrl-C ends what runs on the boards before it goes on its way.

    Raises:
        InputError: a word is no host, or is given twice.
    """
    if len(set(words)) != len(words):
        raise InputError(f"--on names each board once, not {', '.join(words)}")
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
        boards.extend(Board(word) for word in words)
        for item in enumerate(boards):
            threading.Thread(target=do, args=item, daemon=True).start()
        try:
            while len(results) < len(boards):
                results |= [ended.get()]
        except KeyboardInterrupt:
            for board in boards:
                board.cancel()
            with suppress(Empty):
                while len(results) < len(boards):
                    results |= [ended.get(timeout=_LONGEST_FAREWELL_S)]
            raise
    finally:
        for board in boards:
            board.close()
    return [_checked(results[number]) for number in range(len(boards))]


def _checked(result: T | BaseException) -> T | EdgevisionError:
    if isinstance(result, BaseException) and not isinstance(result, EdgevisionError):
        raise result
    return result
