"""Restoration: a damaged picture in, a better one of the same kind out, in tiles where it is large."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.images import ImageSource
from edgevision.imaging.pictures import Picture
from edgevision.imaging.tiling import Span, blend, cut, take
from edgevision.imaging.transparency import continue_colours
from edgevision.modelfiles.metadata import ModelMetadata, Prediction, RestorationSpec, TileSpec
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.finite import finite
from edgevision.runtime.tasks.pipeline import Pipeline
from edgevision.runtime.tasks.restoration.planes import Array, Planes, Samples

_log = logging.getLogger(__name__)

DEFAULT_MEMORY = 256 << 20
"""Bytes that the tiles in work may take, beside the picture, where the user does not say otherwise."""

# What a network takes for each pixel of its input where the model does not say: 64 channels of float32, three times.
_BYTES_A_PIXEL = 768

# A colour picture in float32.
_BYTES_A_RESULT = 12

# ONNX Runtime was seen to take 1.0 to 2.6 times what is alive at once: other buffers, copies in its own layout.
_ENGINE_SLACK = 2.5


class Restorer(Pipeline):
    """A restoration network on an engine; call it on a picture.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        scale: how many times larger the result's sides are.
        at_once: how many pictures are worth restoring at the same time.
    """

    # The engine itself uses all cores.
    at_once = 1

    def __init__(
        self, engine: Engine, metadata: ModelMetadata, *, tile: int | None = None, memory: int = DEFAULT_MEMORY
    ) -> None:
        """Use ``engine``, which the restorer closes in turn.

        Args:
            tile: side of the tiles in pixels of the input; 0 for none, ``None`` to fit ``memory``.
            memory: bytes that the network may take for one tile, and half as much for a row of results.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input.
            InputError: the tile does not fit the network.
        """
        if metadata.image is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        self.engine = engine
        self.metadata = metadata
        self.spec = metadata.restoration or RestorationSpec()
        self.scale = self.spec.scale
        self.planes = Planes(metadata.image, self.spec.output_range)
        self._tiles = metadata.tile or TileSpec()
        self._batch = engine.inputs[0].shape[0]
        self._tile = tile
        self._memory = memory
        self._fixed = fixed_sides(engine.inputs[0].shape, metadata)
        if tile is not None and any(side not in (None, tile) for side in self._fixed):
            raise InputError(
                f"{metadata.name!r} takes tiles of {_named(self._fixed)} pixels only, not --tile {tile or 'off'};"
                " use auto"
            )
        if tile and not all(self._fixed):
            self._check_tile(tile)

    def __call__(self, source: ImageSource | Picture, *, in_place: bool = False) -> Picture:
        """Restore one picture; depth, alpha, colour profile and camera data are kept.

        What is transparent gets the colours around it, of which its own would otherwise spoil the edge. With
        ``in_place`` the result may take the place of the samples in a ``source`` that nobody needs any more.

        Raises:
            ImageError: the picture cannot be decoded.
            DeviceError: the device failed.
        """
        picture, in_place = (source, in_place) if isinstance(source, Picture) else (Picture.read(source), True)
        height, width = picture.size
        shape = (height * self.scale, width * self.scale, picture.pixels.shape[2])
        # No tile reads a row that is finished.
        restored = picture.pixels if in_place and self.scale == 1 else np.empty(shape, picture.pixels.dtype)
        seen = picture.pixels if picture.alpha is None else continue_colours(picture.pixels, picture.alpha)
        for top, rows in self.restore(seen):
            to_samples(rows, restored[top : top + len(rows)])
            del rows  # or two bands would be held while the next is computed
        return picture.with_pixels(restored, self._enlarged(picture.alpha))

    def restore(self, samples: Samples, *, network_colors: bool = False) -> Iterator[tuple[int, Array]]:
        """The restored rows from top to bottom, float32 (n, width, channels) around 0..1, not clipped.

        With ``network_colors`` they are in the network's own colour space instead of the picture's.
        """
        height, width = samples.shape[:2]
        rows, columns = self._spans(height, width)

        def process(row: Span, column: Span) -> Array:
            tile: Any = take(samples, row, column)
            restored = self.planes.from_tensor(self._infer(self.planes.to_tensor(tile)))
            return restored if network_colors else self.planes.assemble(restored, tile)

        channels = self.planes.channels(samples) if network_colors else samples.shape[2]
        shape = (height * self.scale, width * self.scale, channels)
        yield from blend(rows, columns, shape, self.scale, process)

    def tile_sides(self, height: int, width: int) -> tuple[int | None, int | None]:
        """The height and width of the tiles for a picture of that size; ``None`` is all of it at once."""
        tiles, fixed = self._tiles, self._fixed
        if tiles.overlap is None or all(fixed):
            return fixed
        if self._tile is not None:
            free = self._tile or None
            return fixed[0] or free, fixed[1] or free
        pixels = int(self._memory / (_ENGINE_SLACK * (tiles.memory or _BYTES_A_PIXEL)))
        padded = fixed[0] or tiles.padded(height), fixed[1] or tiles.padded(width)
        if padded[0] * padded[1] <= pixels:
            return fixed
        # What is spent on the overlaps would be more than what is gained.
        least = tiles.padded(-(-(3 * tiles.overlap + 2 * tiles.step) // tiles.step) * tiles.step)

        def beside(other: int) -> int:
            return max(pixels // other // tiles.step * tiles.step, least)

        square = max(int(pixels**0.5) // tiles.step * tiles.step, least)
        # All tiles of a row are held until it is done, in float32.
        row = _BYTES_A_RESULT * self.scale**2 * padded[1]
        rows = max(min(square, self._memory // (2 * row)) // tiles.step * tiles.step, least)
        # Tiles of a thin picture are as much longer as it is thinner.
        if fixed[0] or (not fixed[1] and padded[0] <= rows):
            return fixed[0], beside(padded[0])
        if fixed[1] or padded[1] <= square:
            return beside(padded[1]), fixed[1]
        return rows, square if rows == square else beside(rows)

    def _spans(self, height: int, width: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """The rows and the columns of the tiles of a picture of that size.

        Raises:
            ImageError: the picture is larger than what a model takes that cannot be tiled.
        """
        lengths, sides = (height, width), self.tile_sides(height, width)
        _log.debug("%dx%d pixels, tiles of %s", width, height, _named(sides))
        too_large = any(fixed and fixed < length for fixed, length in zip(self._fixed, lengths, strict=True))
        if too_large and not can_tile(self._fixed, self._tiles):
            raise ImageError(
                f"{self.metadata.name!r} takes {_named(self._fixed)} pixels only and cannot be laid over a picture of"
                f" {width}x{height} in tiles; make the picture smaller, or export the model for its size"
            )
        rows, columns = (
            cut(length, side if fixed or (side and side < length) else None, self._tiles, exact=fixed is not None)
            for length, side, fixed in zip(lengths, sides, self._fixed, strict=True)
        )
        return rows, columns

    def _infer(self, tensor: Array, *others: Array) -> Array:
        """The restored tensor; a model for single samples gets them one by one."""
        size = self._batch if isinstance(self._batch, int) else len(tensor)
        names = [spec.name for spec in self.engine.inputs]
        # A colour picture in a gray network is a batch of three, its mask a batch of one.
        alike = [np.repeat(other, len(tensor) // len(other), axis=0) for other in others]
        outputs = [
            self.engine.run({name: array[i : i + size] for name, array in zip(names, (tensor, *alike), strict=True)})[0]
            for i in range(0, len(tensor), size)
        ]
        output: Any = outputs[0] if len(outputs) == 1 else np.concatenate(outputs)
        made = len(tensor), tensor.shape[1], *(side * self.scale for side in tensor.shape[2:])
        if output.shape != made:
            # Sides that a graph leaves open show only now what becomes of them.
            raise ModelFileError(
                f"{self.metadata.name!r} makes {output.shape} of {tensor.shape}, which by its metadata is {made}"
            )
        if self.spec.predicts is Prediction.NOISE:
            output = tensor - output
        return finite(output, self.engine).astype(np.float32, copy=False)  # type: ignore[no-any-return]

    def _enlarged(self, alpha: NDArray[Any] | None) -> Any:
        if alpha is None or self.scale == 1:
            return alpha
        size = alpha.shape[1] * self.scale, alpha.shape[0] * self.scale
        return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))

    def _check_tile(self, tile: int) -> None:
        tiles = self._tiles
        if tiles.overlap is None:
            raise InputError(
                f"{self.metadata.name!r} looks at the whole picture at once and cannot be tiled; --tile off"
            )
        least = max(2 * (tiles.overlap + tiles.step), tiles.minimum)
        if tile % tiles.multiple or tile < least:
            multiple = f"a multiple of {tiles.multiple} and " if tiles.multiple > 1 else ""
            raise InputError(f"--tile must be {multiple}at least {least} for {self.metadata.name!r}, not {tile}")


def to_samples(rows: Array, target: NDArray[Any]) -> None:
    """Round ``rows`` (0..1, clipped) into ``target``, uint8 or uint16 of the same shape; ``rows`` is used up."""
    maximum = np.iinfo(target.dtype).max
    rows *= maximum
    np.rint(rows, out=rows)
    np.clip(rows, 0, maximum, out=rows)
    target[...] = rows


def fixed_sides(shape: Sequence[int | str], metadata: ModelMetadata) -> tuple[int | None, int | None]:
    """The height and width of the tiles of a model whose input is ``shape``, ``None`` where any is taken.

    Curves need no tiles, they are drawn for a thumbnail.

    Raises:
        ModelFileError: the metadata contradicts the shape.
    """
    if metadata.restoration is not None and metadata.restoration.predicts is Prediction.CURVES:
        return None, None
    multiple = metadata.tile.multiple if metadata.tile else 1
    height, width = (side if isinstance(side, int) else None for side in shape[2:4])
    if any(side is not None and side % multiple for side in (height, width)):
        raise ModelFileError(
            f"{metadata.name!r} takes {_named((height, width))} pixels only, but says that its sides have to be"
            f" multiples of {multiple}"
        )
    return height, width


def can_tile(sides: tuple[int | None, int | None], tiles: TileSpec) -> bool:
    """Whether tiles of exactly these sides can be laid over a picture: beside the overlaps something has to be left."""
    overlap = tiles.overlap
    return overlap is not None and all(side is None or side >= 2 * (overlap + tiles.step) for side in sides)


def _named(sides: tuple[int | None, int | None]) -> str:
    height, width = ("any" if side is None else side for side in sides)
    return f"{width}x{height}"
