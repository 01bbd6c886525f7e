"""What a verb sends to a board whose every input becomes one file, and what comes back."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.documents import read_outputs_document
from edgevision.runtime.remote.job import Check, Existing
from edgevision.runtime.remote.remote_command import RemoteCommand

JobCheck = Callable[[PictureJob], Check]
"""What looks at a result of a job that came back."""


def send_jobs(command: RemoteCommand, jobs: Sequence[PictureJob], check: JobCheck) -> None:
    """Add the inputs of ``jobs`` and their results, each of which ``check`` looks at; the document names these."""
    if not jobs:
        command.answer = {"outputs": []}
    send_files(command, jobs, check)
    command.read_document = partial(read_outputs_document, known=command.outputs)


def send_files(command: RemoteCommand, jobs: Sequence[PictureJob], check: JobCheck) -> list[str]:
    """As :func:`send_jobs`, without a word on the document; the names there of the inputs."""
    sent = [command.send_file("in", number, job.picture) for number, job in enumerate(jobs, start=1)]
    command.values["inputs"] = [*sent]
    for number, job in enumerate(jobs, start=1):
        name = command.fetch(f"out/{number:05d}{job.target.suffix}", job.target, check(job), existing(command))
        # A name of its own for a single result, a folder for several: the verb's rule for its -o.
        command.values["output"] = name if len(jobs) == 1 else "out/"
    return sent


def send_comparisons(command: RemoteCommand, jobs: Sequence[PictureJob], check: JobCheck) -> None:
    """Add the comparisons that jobs ask for."""
    given = command.given
    for number, job in enumerate(jobs, start=1):
        if job.compare is not None:
            name = f"compare/{number:05d}{job.compare.suffix}"
            command.fetch(name, job.compare, check(job), "replace" if given["force"] or given["resume"] else "refuse")
            command.values["compare"] = Path(name if len(jobs) == 1 else "compare")


def existing(command: RemoteCommand) -> Existing:
    """What becomes of a file that came to be where a result is to go."""
    # Another process that resumes the same work may be faster.
    return "replace" if command.given["force"] else "keep" if command.given.get("resume") else "refuse"
