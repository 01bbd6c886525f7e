"""What the verbs that find things in pictures send to a board: pictures, of which answers come back.

The drawn pictures come, too, where they are wanted.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from edgevision.core.errors import InputError
from edgevision.runtime.files.outputs import plan_outputs
from edgevision.runtime.remote.documents import RunDocument, check_names
from edgevision.runtime.remote.job import Existing, Fetched
from edgevision.runtime.remote.picture_check import picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.tasks.board_pictures import board_pictures, send_model

ReadDocument = Callable[[dict[str, Any]], RunDocument]


def answer_files(
    command: RemoteCommand, task: str, suffix: str, read: ReadDocument, *, not_fetched: Sequence[str]
) -> None:
    """Pictures, the model, and with ``--output`` the drawn pictures that come back.

    Args:
        suffix: as of :class:`.AnswerVerb`.
        read: decodes the document that the board prints; it has ``results`` and ``failures``, each with its input.
        not_fetched: the options that ask for files whose number nobody knows before.

    Raises:
        InputError: one of those is given.
    """
    given = command.given
    for name in not_fetched:
        if given[name] is not None:
            raise InputError(f"--{name} is not made on a board; take its answers with --json, or drawn with -o")
    send_model(command, task)
    pictures = board_pictures(given["inputs"], given["output"])
    sent = [command.send_file("in", number, picture) for number, picture in enumerate(pictures, start=1)]
    command.values["inputs"] = sent
    if given["output"] is not None:
        existing: Existing = "replace" if given["force"] else "refuse"
        jobs = plan_outputs(pictures, given["output"], name_suffix=suffix, force=given["force"])
        for number, job in enumerate(jobs, start=1):
            name = f"out/{number:05d}{job.target.suffix}"
            command.fetch(name, job.target, picture_check(job.target, lambda: None), existing)
            command.values["output"] = name if len(jobs) == 1 else "out/"
    command.read_document = partial(_read_document, sent, read)


def _read_document(
    sent: Sequence[str], read: ReadDocument, document: dict[str, Any], fetched: Fetched
) -> dict[str, Any]:
    found: Any = read(document)
    check_names(
        [*(item.input for item in found.results), *(item.input for item in found.failures)], sent, all_of_them=True
    )
    return document
