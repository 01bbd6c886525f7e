"""What a verb that looks at pictures sends to a board: its model and the pictures; streams are not sent."""

from collections.abc import Sequence
from typing import NoReturn

from edgevision.core.errors import InputError
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.streams.addresses import is_stream
from edgevision.runtime.tasks.run_options import say_what_ships


def send_model(command: RemoteCommand, task: str) -> None:
    """Add the model that is named, or the one that ships for ``task``, of which it is said what it finds."""
    given = command.given
    model = given["model"]
    if model is None and not given["quiet"] and not given["as_json"]:
        say_what_ships(task)
    called = None if model else f"{task} (shipped)"
    command.values["model"] = command.send_model(model or shipped_model(task), called=called)


def board_pictures(inputs: Sequence[str], output: str | None) -> list[PictureInput]:
    """Every picture that ``inputs`` stand for.

    Raises:
        InputError: as :func:`.expand_inputs`, or one is a video or a camera.
    """
    for name in inputs:
        if is_stream(name, output):
            refuse_stream(name)
    return expand_inputs(inputs)


def refuse_stream(name: str) -> NoReturn:
    """Say what to do with a video or a camera instead."""
    raise InputError(
        f"{name!r} is a stream, whose frames --on does not carry: it sends files and fetches results at the end; call"
        " this on the board itself, over ssh, with edgevision[video] installed there, and watch with"
        " -o http://0.0.0.0:8080"
    )
