"""A picture that a board sent is looked at before it becomes a file of the user's: the board may have sent anything."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevision.core.errors import ImageError
from edgevision.imaging.picture_formats import GIF, format_of_content, written_format
from edgevision.runtime.remote.job import Check

_BEGINNING = 4096

Size = tuple[int, int]
"""(height, width)."""


def picture_check(target: Path, find_size: Callable[[], Size | None] = lambda: None, *, most_frames: int = 1) -> Check:
    """That a file is a whole picture of ``target``'s format and of the size found, if one is found.

    The format may also be GIF; ``most_frames`` is for an animation.
    """

    kind = GIF if target.suffix.lower() in GIF.suffixes else written_format(target)

    def check(path: Path) -> None:
        from PIL import Image

        size = find_size()
        try:
            with path.open("rb") as file:
                if format_of_content(file.read(_BEGINNING), "it") is not kind:
                    raise ImageError(f"it is no {kind.kind} picture")
                file.seek(0)
                # Not Image.open, which refuses by size: what this machine asked for may be larger than that.
                with Image.OPEN[kind.kind][0](file, str(path)) as image:
                    _check_frames(image, size, most_frames)
        except ImageError:
            raise
        except Exception as error:  # Pillow's decoders raise almost anything on damaged data
            raise ImageError(f"it is no whole {kind.kind} picture") from error

    return check


def _check_frames(image: Any, size: Size | None, most_frames: int) -> None:
    from PIL import Image

    width, height = image.size
    if size is not None and (height, width) != size:
        raise ImageError(f"it has {width}x{height} pixels instead of {size[1]}x{size[0]}")
    if size is None and width * height > 2 * (Image.MAX_IMAGE_PIXELS or math.inf):
        raise ImageError(f"it has {width}x{height} pixels")
    frames = getattr(image, "n_frames", 1)
    if frames > most_frames:
        raise ImageError(f"it has {frames} frames")
    for frame in range(frames):
        image.seek(frame)
        image.load()
