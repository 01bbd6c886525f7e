"""What of a picture is to be filled: masks given as pictures, as arrays, or as transparency."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError
from edgevision.imaging.images import gray_8, read_image
from edgevision.imaging.picture_sources import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.imaging.tiling import row_strips

Mask = NDArray[np.bool_]

# Proportions that differ by more are another picture's, not another size's.
_SAME_PROPORTIONS = 0.05


def masks_for(masks: Any, count: int, *, several: bool) -> list[Any]:
    """The mask for each of ``count`` pictures; :class:`ValueError` where there are more or fewer, but more than one."""
    if several and isinstance(masks, np.ndarray) and masks.ndim == (3 if masks.dtype == np.bool_ else 4):
        masks = list(masks)
    if not several or not isinstance(masks, list | tuple):
        return [masks] * count
    if len(masks) != count:
        raise ValueError(f"{count} pictures take as many masks, or one for all, not {len(masks)}")
    return list(masks)


def read_mask(source: ImageSource | Mask, height: int, width: int) -> Mask:
    """A mask as bool (height, width): true where it is lighter than middle gray.

    One of another size is scaled without interpolation; its transparent parts are black.

    Raises:
        ImageError: not a picture, or of other proportions.
    """
    if isinstance(source, np.ndarray) and source.dtype == np.bool_:
        if source.shape not in ((height, width), (height, width, 1)):
            raise ImageError(f"the mask is {source.shape} and the picture {(height, width)} (height, width)")
        return np.asarray(source, np.bool_).reshape(height, width)
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
