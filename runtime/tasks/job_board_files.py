"""What a verb sends to a board whose every input becomes one file, and what comes back."""

from collections.abc import Callable, Sequence
from functools import partial

from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.documents import read_outputs_document
from edgevision.runtime.remote.job import Check, Existing
from edgevision.runtime.remote.remote_command import RemoteCommand


def send_jobs(command: RemoteCommand, jobs: Sequence[PictureJob], check: Callable[[PictureJob], Check]) -> None:
    """Add the inputs of ``jobs`` and their results, each of which ``check`` looks at."""
    command.values["inputs"] = [
        command.send_file("in", number, job.picture) for number, job in enumerate(jobs, start=1)
    ]
    for number, job in enumerate(jobs, start=1):
        name = command.fetch(f"out/{number:05d}{job.target.suffix}", job.target, check(job), existing(command))
        # A name of its own for a single result, a folder for several: the verb's rule for its -o.
        command.values["output"] = name if len(jobs) == 1 else "out/"
    command.read_document = partial(read_outputs_document, known=command.outputs)


def existing(command: RemoteCommand) -> Existing:
    """What becomes of a file that is there already."""
    return "replace" if command.given["force"] else "refuse"
