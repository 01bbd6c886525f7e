"""Inpainting: what lies under the mask is made up from its surroundings, every other pixel stays as it is."""

from collections.abc import Iterator
from typing import Any, Literal, TypedDict, Unpack, overload

import numpy as np

from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.hole_filling import coarse_levels, enlarged_part, halve_known
from edgevision.imaging.picture_sources import (
    ArrayColor,
    Batch,
    ImageSource,
    ImageSources,
    Source,
    check_array_color,
    split_pictures,
)
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, Samples, as_float, store
from edgevision.imaging.tiling import Span, row_strips, take
from edgevision.imaging.transparency import continue_colours
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.pipeline import Pipeline
from edgevision.runtime.tasks.restoration.masks import Mask, mask_from_alpha, masks_for, read_mask
from edgevision.runtime.tasks.restoration.spec import HoleFill
from edgevision.runtime.tasks.restoration.texture.texture_fill import fill_with_texture
from edgevision.runtime.tasks.restoration.tile_sizes import DEFAULT_MEMORY
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork, TileInputs


class FillOptions(TypedDict, total=False):
    """How an :class:`Inpainter` fills a picture; its call says what they mean."""

    invert: bool
    opaque: bool
    in_place: bool
    fill: HoleFill | Literal["auto", "texture", "smooth"]
    seed: int


class Inpainter(Pipeline):
    """An inpainting network on an engine; call it on a picture and a mask.

    Attributes:
        metadata: what the model file says about itself.
        network: what computes the rows of the result.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        tile: int | None = None,
        memory: int = DEFAULT_MEMORY,
        color: ArrayColor = "rgb",
    ) -> None:
        """Use ``engine``, which the inpainter closes in turn; the options are those of a :class:`Restorer`.

        Raises:
            ModelFileError: the model does not take an image and a mask, or its metadata does not describe the image.
            InputError: the tile does not fit the network.
        """
        if len(engine.inputs) != 2:
            raise ModelFileError(f"{metadata.name!r} has {len(engine.inputs)} inputs; inpainting needs image and mask")
        self.metadata = metadata
        self.network = TiledNetwork(engine, metadata, tile=tile, memory=memory)
        self._color = check_array_color(color)

    @property
    def engine(self) -> Engine:
        """What runs the model."""
        return self.network.engine

    @engine.setter
    def engine(self, engine: Engine) -> None:
        self.network.engine = engine

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, images: Batch, mask: Any = None, **how: Unpack[FillOptions]
    ) -> list[Picture]: ...

    @overload
    def __call__(
        self, images: ImageSource, mask: ImageSource | Mask | None = None, **how: Unpack[FillOptions]
    ) -> Picture: ...

    @overload
    def __call__(self, images: ImageSources[Source], mask: Any = None, **how: Unpack[FillOptions]) -> list[Picture]: ...

    def __call__(self, images: Any, mask: Any = None, **how: Unpack[FillOptions]) -> Picture | list[Picture]:
        """Fill the holes of a picture, or of several.

        Args:
            images: a picture; or a list or an array of several.
            mask: white, or true, where the picture is to be filled; as in :func:`read_mask`. For several pictures a
                list of as many, or an array of them, (N, H, W) or with channels (N, H, W, C); or one mask for all.
                Without, what is transparent is filled and becomes opaque.
            how: ``invert``: fill what is black instead; ``opaque``: make what is filled opaque, under any mask;
                ``fill``: with what large holes are filled, a :class:`HoleFill` or its value, ``"auto"`` unless given;
                ``seed`` of texture, 0 unless given; ``in_place``: the result may take the place of the samples in a
                :class:`Picture` that nobody needs any more.

        Raises:
            InputError: there is no such ``fill``.
            ImageError: the picture or the mask cannot be decoded, they do not belong together, or all is to be filled.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        results = [
            self._fill_picture(picture, holes, **how)
            for picture, holes in zip(pictures, masks_for(mask, len(pictures), several=several), strict=True)
        ]
        return results if several else results[0]

    def _fill_picture(
        self,
        source: ImageSource,
        mask: ImageSource | Mask | None,
        *,
        invert: bool = False,
        opaque: bool = False,
        in_place: bool = False,
        fill: HoleFill | str = HoleFill.AUTO,
        seed: int = 0,
    ) -> Picture:
        fill = _hole_fill(fill)
        in_place = in_place or not isinstance(source, Picture)
        picture = Picture.read(source).with_array_color(self._color)
        holes = mask_from_alpha(picture) if mask is None else read_mask(mask, picture.height, picture.width)
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
        if fill is not HoleFill.SMOOTH:
            # What is transparent has colours that nobody chose.
            sources = ~holes if alpha is None else ~holes & (alpha > 0)
            fill_with_texture(filled, holes, sources, seed, always=fill is HoleFill.TEXTURE)
        if seen is not pixels:
            np.copyto(filled, pixels, where=~holes[:, :, None])
        if alpha is None:
            return picture.with_pixels(filled, None)
        if opaque or mask is None:
            alpha = np.where(holes, alpha.dtype.type(picture.maximum), alpha)
        return picture.with_pixels(filled, alpha)

    def fill(self, samples: Any, holes: Mask) -> Any:
        """``samples`` (H, W, C), uint8, uint16 or float32 in 0..1, with ``holes`` (H, W) filled; the rest is the same.

        Large holes are filled smoothly, at a coarser level first, where the network sees across them.
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


def _hole_fill(fill: HoleFill | str) -> HoleFill:
    try:
        return HoleFill(fill)
    except ValueError:
        raise InputError(f"fill must be one of {', '.join(HoleFill)}, not {fill!r}") from None


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
