"""The task ``sequence``, served: a clip in one file, and what is going on after each of its frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.core.errors import ImageError, InputError, TooLargeError
from edgevision.imaging.images import most_pixels
from edgevision.runtime.streams.frame import Pixels
from edgevision.runtime.streams.opening import open_encoded
from edgevision.runtime.tasks.served import Inputs, ServedTask, Values

_MOST_PICTURES = 40
"""All frames of a clip have as many pixels at most as so many of the largest pictures that are read."""


@dataclass(frozen=True, kw_only=True)
class _ServedSequence(ServedTask):
    def read(self, inputs: Inputs, values: Values) -> Any:
        # Of a clip no more than a frame at a time is decoded, which the network then looks at.
        return inputs.files["clip"], inputs.name

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        return [pipeline(_frames(content, name)) for content, name in contents]


def _frames(content: bytes, name: str) -> Iterator[Pixels]:
    """The frames of a clip; :class:`ImageError` where it is damaged, or none."""
    largest = most_pixels()
    seen = 0
    try:
        with open_encoded(content, name) as source:
            for frame in source.frames():
                seen += frame.pixels.shape[0] * frame.pixels.shape[1]
                if largest is not None and seen > _MOST_PICTURES * largest:
                    raise TooLargeError(
                        f"{name} has more than {_MOST_PICTURES * largest} pixels in all its frames, the most of a clip"
                    )
                yield frame.pixels
    except ImageError:
        raise
    except InputError as error:
        raise ImageError(str(error)) from error


SERVED = _ServedSequence(
    inputs=("clip",), clips=("clip",), not_in_browser="its page opens pictures, and no clips frame by frame"
)
