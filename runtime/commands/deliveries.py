"""What a board delivers is looked at before it becomes a file of the user's: it may have sent anything."""

import io
import math
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from edgevision.core.errors import EdgevisionError, ImageError
from edgevision.imaging.exif import orientation
from edgevision.imaging.picture_formats import GIF, format_of_content, written_format
from edgevision.modelfiles.metadata import ModelMetadata, Task
from edgevision.modelfiles.model_file import read_metadata
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.shipped_models import shipped_model

_BEGINNING = 4096
# The EXIF orientations in which width and height change places.
_TURNED = (5, 6, 7, 8)

Check = Callable[[Path], None]
"""Raises :class:`ImageError` where a file is not what was asked for."""

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


def codes_check(rows: int) -> Check:
    """That a file is NumPy's, of ``rows`` rows of finite float32 and of nothing else."""

    def check(path: Path) -> None:
        import numpy as np

        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file) if version == (1, 0) else ((), False, None)
                if len(shape) != 2 or shape[0] != rows or dtype != np.float32:
                    raise ImageError(f"it holds {dtype} {shape} instead of {rows} rows of float32")
                # The header's word for the size is not taken before so much is there.
                if path.stat().st_size != file.tell() + 4 * shape[0] * shape[1]:
                    raise ImageError("it is longer or shorter than it says")
                if not np.isfinite(np.fromfile(file, np.float32)).all():
                    raise ImageError("it holds NaN or Inf")
        except (ValueError, OSError, EOFError) as error:
            raise ImageError("it is no file of NumPy's") from error

    return check


def size_of_result(task: Task, model: Path | None, scale: int | None, picture: PictureInput) -> Size | None:
    """The size that ``task`` gives a picture; ``None`` where it cannot be told."""
    found = _upright_size(picture)
    metadata = _metadata(model or shipped_model(task, scale))
    if metadata is not None and task is Task.RECONSTRUCT and metadata.image is not None:
        return metadata.image.size
    if metadata is None or metadata.restoration is None or found is None:
        return None
    factor = metadata.restoration.scale
    return found[0] * factor, found[1] * factor


@cache
def _metadata(path: Path) -> ModelMetadata | None:
    """What the model says of itself; ``None`` where nothing, or nothing that can be read."""
    try:
        return read_metadata(path)
    except EdgevisionError:
        return None


def size_of_drawing(model: Path | None) -> Size | None:
    """The size of what a generator draws; ``None`` where that is free."""
    metadata = _metadata(model or shipped_model(Task.GENERATE))
    sides = metadata.outputs[0].shape[2:] if metadata is not None and metadata.outputs else ()
    return (sides[0], sides[1]) if len(sides) == 2 and all(isinstance(side, int) for side in sides) else None  # type: ignore[return-value]


def _upright_size(picture: PictureInput) -> Size | None:
    from PIL import Image

    try:
        stream = io.BytesIO(picture.source) if isinstance(picture.source, bytes) else picture.source.open("rb")
        with stream as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = format_of_content(file.read(_BEGINNING), picture.name)
            file.seek(0)
            with Image.open(file, formats=(kind.kind,)) as image:
                turned = orientation(image) in _TURNED
                return (image.width, image.height) if turned else (image.height, image.width)
    except Exception:  # it is damaged, which is the board's to say
        return None
