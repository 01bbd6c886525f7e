"""Masks of what is to be filled: read, matched to their pictures, and drawn where there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError, InputError
from edgevision.imaging.images import gray_8, read_image
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.imaging.tiling import row_strips
from edgevision.runtime.files.inputs import PictureInput, expand_inputs

Mask = NDArray[np.bool_]

# Proportions that differ by more are another picture's, not another size's.
_SAME_PROPORTIONS = 0.05


def masks_for(masks: Any, count: int, *, several: bool) -> list[Any]:
    """The mask for each of ``count`` pictures; :class:`ValueError` where there are more or fewer, but more than one."""
    if several and isinstance(masks, np.ndarray) and _holds_several(masks):
        masks = list(masks)
    if not several or not isinstance(masks, list | tuple):
        return [masks] * count
    if len(masks) != count:
        raise ValueError(f"{count} pictures take as many masks, or one for all, not {len(masks)}")
    return list(masks)


def _holds_several(masks: NDArray[Any]) -> bool:
    """Whether an array is (N, H, W), or with channels (N, H, W, C), and not one mask (H, W) or (H, W, C)."""
    return masks.ndim == 4 or (masks.ndim == 3 and (masks.dtype == np.bool_ or masks.shape[2] not in (1, 2, 3, 4)))


def read_mask(source: ImageSource | Mask, height: int, width: int) -> Mask:
    """A mask as bool (height, width): true where it is lighter than middle gray.

    An array of integers that are all 0 or 1, whatever their type, is true where it is 1. A mask of another size is
    scaled without interpolation; its transparent parts are black.

    Raises:
        ImageError: not a picture, or of other proportions.
    """
    if isinstance(source, np.ndarray) and source.dtype == np.bool_:
        if source.shape not in ((height, width), (height, width, 1)):
            raise ImageError(f"the mask is {source.shape} and the picture {(height, width)} (height, width)")
        return np.asarray(source, np.bool_).reshape(height, width)
    if isinstance(source, np.ndarray) and _is_binary(source):
        source = source.astype(np.uint8) * np.uint8(255)
    image = read_image(source)
    if image.size != (width, height):
        if abs(np.log(image.width * height / (image.height * width))) > _SAME_PROPORTIONS:
            raise ImageError(
                f"the mask is {image.width}x{image.height} and the picture {width}x{height}: the proportions do not"
                " match, so they do not belong together; crop or scale one of them"
            )
        image = image.resize((width, height), Image.Resampling.NEAREST)
    mask = np.empty((height, width), np.bool_)
    for rows in row_strips(height, width):
        mask[rows] = _light(image.crop((0, rows.start, width, rows.stop)))
    return mask


def _is_binary(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "iu" and array.size > 0 and array.min() >= 0 and array.max() <= 1


def _light(image: Image.Image) -> Mask:
    if image.mode.startswith("I"):
        image = gray_8(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
    return np.asarray(image.convert("L")) > 127


def mask_from_alpha(picture: Picture) -> Mask:
    """What is more transparent than opaque, bool (H, W); :class:`ImageError` where nothing can be transparent."""
    if picture.alpha is None:
        raise ImageError("the picture has no transparency to take the mask from; give a mask picture")
    return np.asarray(picture.alpha <= picture.maximum / 2)


def match_masks(masks_path: str) -> Callable[[PictureInput], Path | bytes]:
    """The mask for each picture: the one file, or from a folder the one at the same place, or of the same stem.

    The function raises :class:`ImageError` for a picture that has none, or several of its stem at other places.

    Raises:
        InputError: the folder holds no pictures.
    """
    masks = expand_inputs([masks_path])
    if len(masks) == 1 and not Path(masks_path).is_dir():
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
        raise ImageError(f"{picture.name}: {masks_path!r} holds {problem} of that name")

    return find


def split_off_mask(inputs: list[str], *, from_alpha: bool) -> tuple[list[str], str | None]:
    """Pictures and the mask, which is named last, among the arguments of inpainting."""
    if from_alpha:
        return inputs, None
    if len(inputs) < 2:
        raise InputError(
            "inpainting takes pictures and then the mask, as in photo.jpg mask.png; --mask-from-alpha takes the mask"
            " from the picture's transparency"
        )
    return inputs[:-1], inputs[-1]


# An annotation that is evaluated would import numpy.random, a tenth of what a start takes.
def sample_masks(shape: tuple[int, ...], draw: "np.random.Generator | float") -> NDArray[np.float32]:
    """A mask (n, 1, h, w) for each of the pictures of ``shape`` (n, channels, h, w).

    It is of all kinds in turn, drawn from a generator, or covers a share (0..1) of each from the left.
    """
    # A picture that is filled does without what draws.
    from edgevision.data.degradations import draw_holes
    from edgevision.data.hole_kinds import HoleKind

    count, _, height, width = shape
    if isinstance(draw, np.random.Generator):
        kinds = list(HoleKind)
        masks = [draw_holes(kinds[i % len(kinds)], height, width, draw) for i in range(count)]
        return np.stack(masks)[:, None].astype(np.float32)
    mask = np.zeros((count, 1, height, width), np.float32)
    mask[..., : round(draw * width)] = 1
    return mask


def middle_hole(height: int, width: int) -> Mask:
    """A hole over the middle ninth."""
    holes = np.zeros((height, width), np.bool_)
    holes[height // 3 : height - height // 3, width // 3 : width - width // 3] = True
    return holes
