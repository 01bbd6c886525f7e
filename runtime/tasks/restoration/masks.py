"""Masks of what is to be filled: which belongs to which picture, and some where there are none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import ImageError, InputError
from edgevision.data.degradations import draw_holes
from edgevision.data.hole_kinds import HoleKind
from edgevision.runtime.files.inputs import PictureInput, expand_inputs


def match_masks(word: str) -> Callable[[PictureInput], Path | bytes]:
    """The mask for each picture: the one file, or from a folder the one at the same place, or of the same stem.

    The function raises :class:`ImageError` for a picture that has none, or several of its stem at other places.

    Raises:
        InputError: the folder holds no pictures.
    """
    masks = expand_inputs([word])
    if len(masks) == 1 and not Path(word).is_dir():
        return lambda picture: masks[0].source
    places = {mask.relative.with_suffix(""): mask for mask in masks}
    stems: dict[str, list[PictureInput]] = {}
    for mask in masks:
        stems.setdefault(mask.relative.stem, []).append(mask)

    def find(picture: PictureInput) -> Path | bytes:
        here = places.get(picture.relative.with_suffix(""))
        if here is not None:
            return here.source
        candidates = stems.get(picture.relative.stem, [])
        if len(candidates) == 1:
            return candidates[0].source
        problem = "no mask" if not candidates else f"{len(candidates)} masks"
        raise ImageError(f"{picture.name}: {word!r} holds {problem} of that name")

    return find


def split_words(words: list[str], *, from_alpha: bool) -> tuple[list[str], str | None]:
    """Pictures and the mask, which is the last word, among the arguments of inpainting."""
    if from_alpha:
        return words, None
    if len(words) < 2:
        raise InputError(
            "inpainting takes pictures and then the mask, as in photo.jpg mask.png; --mask-from-alpha takes the mask"
            " from the picture's transparency"
        )
    return words[:-1], words[-1]


def sample_masks(shape: tuple[int, ...], draw: np.random.Generator | float) -> NDArray[np.float32]:
    """A mask (n, 1, h, w) for each of the pictures of ``shape`` (n, channels, h, w).

    It is of all kinds in turn, drawn from a generator, or covers a share (0..1) of each from the left.
    """
    count, _, height, width = shape
    if isinstance(draw, np.random.Generator):
        kinds = list(HoleKind)
        masks = [draw_holes(kinds[i % len(kinds)], height, width, draw) for i in range(count)]
        return np.stack(masks)[:, None].astype(np.float32)
    mask = np.zeros((count, 1, height, width), np.float32)
    mask[..., : round(draw * width)] = 1
    return mask


def middle_hole(height: int, width: int) -> NDArray[np.bool_]:
    """A hole over the middle ninth."""
    holes = np.zeros((height, width), np.bool_)
    holes[height // 3 : height - height // 3, width // 3 : width - width // 3] = True
    return holes
