"""Inpainting: what lies under the mask is made up from its surroundings, every other pixel stays as it is."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError, ModelFileError
from edgevision.imaging.hole_filling import coarse_levels, enlarged_part, halve_known
from edgevision.imaging.images import ImageSource, gray_8, read_image
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, Samples, as_float, store
from edgevision.imaging.tiling import Span, row_strips, take
from edgevision.imaging.transparency import continue_colours
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import Pipeline
from edgevision.runtime.tasks.restoration.tile_sizes import DEFAULT_MEMORY
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork, TileInputs

Mask = NDArray[np.bool_]

# Proportions that differ by more are another picture's, not another size's.
_SAME_PROPORTIONS = 0.05


class Inpainter(Pipeline):
    """An inpainting network on an engine; call it on a picture and a mask.

    Attributes:
        metadata: what the model file says about itself.
        network: what computes the rows of the result.
    """

    def __init__(
        self, engine: Engine, metadata: ModelMetadata, *, tile: int | None = None, memory: int = DEFAULT_MEMORY
    ) -> None:
        """Use ``engine``, which the inpainter closes in turn; ``tile`` and ``memory`` as for :class:`Restorer`.

        Raises:
            ModelFileError: the model does not take an image and a mask, or its metadata does not describe the image.
            InputError: the tile does not fit the network.
        """
        if len(engine.inputs) != 2:
            raise ModelFileError(f"{metadata.name!r} has {len(engine.inputs)} inputs; inpainting needs image and mask")
        self.metadata = metadata
        self.network = TiledNetwork(engine, metadata, tile=tile, memory=memory)

    @property
    def engine(self) -> Engine:
        """What runs the model."""
        return self.network.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self.network.engine = engine

    def __call__(
        self,
        source: ImageSource | Picture,
        mask: ImageSource | Mask | None = None,
        *,
        invert: bool = False,
        opaque: bool = False,
        in_place: bool = False,
    ) -> Picture:
        """Fill the holes of one picture.

        Args:
            mask: white, or true, where the picture is to be filled; as in :func:`read_mask`. Without one, what is
                transparent is filled and becomes opaque.
            invert: fill what is black instead.
            opaque: make what is filled opaque, under any mask.
            in_place: the result may take the place of the samples in a ``source`` that nobody needs any more.

        Raises:
            ImageError: the picture or the mask cannot be decoded, they do not belong together, or all is to be filled.
            DeviceError: the device failed.
        """
        picture, in_place = (source, in_place) if isinstance(source, Picture) else (Picture.read(source), True)
        holes = mask_from_alpha(picture) if mask is None else read_mask(mask, picture.size)
        if invert:
            holes = ~holes
        if not holes.any():
            return picture
        if holes.all():
            raise ImageError(
                "the mask covers the whole picture, so nothing is left to fill it from; white is what is filled,"
                " --invert-mask fills what is black"
            )
        pixels, alpha = picture.pixels, picture.alpha
        seen = pixels if alpha is None else continue_colours(pixels, np.where(holes, alpha.dtype.type(0), alpha))
        filled = pixels.copy() if seen is pixels and not in_place else seen
        self._fill(filled, holes, coarse_levels(~holes[:, :, None]))
        if seen is not pixels:
            np.copyto(filled, pixels, where=~holes[:, :, None])
        if alpha is None:
            return picture.with_pixels(filled, None)
        if opaque or mask is None:
            alpha = np.where(holes, alpha.dtype.type(picture.maximum), alpha)
        return picture.with_pixels(filled, alpha)

    def fill(self, samples: Any, holes: Mask) -> Any:
        """``samples`` (H, W, C), uint8, uint16 or float32 in 0..1, with ``holes`` (H, W) filled; the rest is the same.

        Large holes are filled at a coarser level first, where the network sees across them.
        """
        filled = samples.copy()
        self._fill(filled, holes, coarse_levels(~holes[:, :, None]))
        return filled

    def _fill(self, samples: Any, holes: Mask, levels: int) -> None:
        """Fill ``samples`` in place, which no tile notices: all of them read only what is known."""
        coarse, coarse_holes = _halved(samples, holes)
        if levels:
            self._fill(coarse, coarse_holes, levels - 1)
        else:
            _fill_smoothly(coarse, coarse_holes)
        for top, rows in self._restored(samples, holes, coarse):
            part = np.s_[top : top + len(rows)]
            made = rows[holes[part]]
            del rows  # or two bands would be held while the next is computed
            rounded = np.empty(made.shape, samples.dtype)
            store(made, rounded)
            samples[part][holes[part]] = rounded

    def _restored(self, samples: Samples, holes: Mask, coarse: Array) -> Iterator[tuple[int, Array]]:
        height, width = holes.shape

        def inputs(row: Span, column: Span) -> TileInputs | None:
            mask: Any = take(holes, row, column)
            if not mask.any():
                return None
            # The coarse level is interpolated where the tile lies in the picture, then mirrored with it.
            place = np.s_[row.start : min(row.stop, height), column.start : min(column.stop, width)]
            guess = np.where(holes[place][:, :, None], enlarged_part(coarse, *place), as_float(samples[place]))
            start: Any = take(guess, Span(0, row.length, row.weights), Span(0, column.length, column.weights))
            return start, mask[None, None].astype(np.float32)

        return self.network.restore_tiles(samples.shape, inputs)


def read_mask(source: ImageSource | Mask, size: tuple[int, int]) -> Mask:
    """A mask as bool of ``size`` (height, width): true where it is lighter than middle gray.

    One of another size is scaled without interpolation; its transparent parts are black.

    Raises:
        ImageError: not a picture, or of other proportions.
    """
    if isinstance(source, np.ndarray) and source.dtype == np.bool_:
        if source.shape != size:
            raise ImageError(f"the mask is {source.shape} and the picture {size} (height, width)")
        return np.asarray(source, np.bool_)
    image = read_image(source)  # type: ignore[arg-type]  # what is left of the union cannot be told by its dtype
    height, width = size
    if image.size != (width, height):
        if abs(np.log(image.width * height / (image.height * width))) > _SAME_PROPORTIONS:
            raise ImageError(
                f"the mask is {image.width}x{image.height} and the picture {width}x{height}: the proportions do not"
                " match, so they do not belong together; crop or scale one of them"
            )
        image = image.resize((width, height), Image.Resampling.NEAREST)
    mask = np.empty(size, np.bool_)
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
    return np.asarray(picture.alpha <= picture.maximum // 2)


def _halved(samples: Samples, holes: Mask) -> tuple[Array, Mask]:
    """Half the sides, the mean of the known pixels, float32 in 0..1, and the holes where none of four is known."""
    height, width, channels = samples.shape
    half = np.empty(((height + 1) // 2, (width + 1) // 2, channels), np.float32)
    half_holes = np.empty(half.shape[:2], np.bool_)
    for strip in row_strips(height, width):
        half_strip = slice(strip.start // 2, (strip.stop + 1) // 2)
        half[half_strip], known = halve_known(as_float(samples[strip]), (~holes[strip, :, None]).astype(np.float32))
        half_holes[half_strip] = known[:, :, 0] == 0
    return half, half_holes


def _fill_smoothly(samples: Array, holes: Mask) -> None:
    """Exactly as :func:`edgevision.imaging.hole_filling.fill_smoothly`, but in place, in strips."""
    height, width = holes.shape
    if not holes.any():
        return
    if (height, width) == (1, 1):
        samples[...] = 0.5
        return
    coarse, coarse_holes = _halved(samples, holes)
    _fill_smoothly(coarse, coarse_holes)
    for rows in row_strips(height, width):
        if holes[rows].any():
            np.copyto(samples[rows], enlarged_part(coarse, rows, slice(0, width)), where=holes[rows, :, None])
