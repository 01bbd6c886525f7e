"""The pictures that a verb sends to a board; streams are not sent."""

from collections.abc import Sequence

from edgevision.core.errors import InputError
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.streams.addresses import is_stream


def board_pictures(inputs: Sequence[str], output: str | None) -> list[PictureInput]:
    """Every picture that ``inputs`` stand for.

    Raises:
        InputError: as :func:`.expand_inputs`, or one is a video or a camera.
    """
    for name in inputs:
        if is_stream(name, output):
            raise InputError(
                f"{name!r} is a stream, whose frames --on does not carry: it sends pictures and fetches results at the"
                " end; call this on the board itself, over ssh, with edgevision[video] installed there, and watch with"
                " -o http://0.0.0.0:8080"
            )
    return expand_inputs(inputs)
