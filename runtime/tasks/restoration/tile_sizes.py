"""How large the tiles of a picture are: what the network takes, what the user wants, and what fits into memory."""

import logging
from collections.abc import Sequence

from edgevision.core.errors import ImageError, InputError, ModelFileError
from edgevision.imaging.tiling import Span, cut
from edgevision.modelfiles.metadata import ModelMetadata, TileSpec
from edgevision.runtime.tasks.restoration.spec import RestorationSpec

_log = logging.getLogger(__name__)

DEFAULT_MEMORY = 256 << 20
"""Bytes that the tiles in work may take, beside the picture, where the user does not say otherwise."""

# What a network takes for each pixel of its input where the model does not say: 64 channels of float32, three times.
_BYTES_A_PIXEL = 768

# A colour picture in float32.
_BYTES_A_RESULT = 12

# ONNX Runtime was seen to take 1.0 to 2.6 times what is alive at once: other buffers, copies in its own layout.
_ENGINE_SLACK = 2.5

Sides = tuple[int | None, int | None]
"""Height and width, each ``None`` where it is a dynamic axis."""


class TileSizes:
    """The sizes of tiles for one model and one user."""

    def __init__(self, metadata: ModelMetadata, shape: Sequence[int | str], *, tile: int | None, memory: int) -> None:
        """Of a model whose input is ``shape``.

        Args:
            tile: side of the tiles in pixels of the input; 0 for none, ``None`` to fit ``memory``.
            memory: bytes that the network may take for one tile, and half as much for a row of results.

        Raises:
            ModelFileError: the metadata contradicts the shape.
            InputError: the tile does not fit the network.
        """
        self._name = metadata.name
        self._scale = metadata.spec_as(RestorationSpec).scale
        self._tiles = metadata.tile or TileSpec()
        self._tile = tile
        self._memory = memory
        self._fixed = fixed_sides(shape, metadata)
        if tile is not None and any(side not in (None, tile) for side in self._fixed):
            raise InputError(
                f"{self._name!r} takes tiles of {_named(self._fixed)} pixels only, not --tile {tile or 'off'}; use auto"
            )
        if tile and not all(self._fixed):
            self._check(tile)

    def sides(self, height: int, width: int) -> Sides:
        """The height and width of the tiles for a picture of that size; ``None`` is all of it at once."""
        tiles, fixed = self._tiles, self._fixed
        if tiles.overlap is None or all(fixed):
            return fixed
        if self._tile is not None:
            side = self._tile or None
            return fixed[0] or side, fixed[1] or side
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
        row = _BYTES_A_RESULT * self._scale**2 * padded[1]
        rows = max(min(square, self._memory // (2 * row)) // tiles.step * tiles.step, least)
        # Tiles of a thin picture are as much longer as it is thinner.
        if fixed[0] or (not fixed[1] and padded[0] <= rows):
            return fixed[0], beside(padded[0])
        if fixed[1] or padded[1] <= square:
            return beside(padded[1]), fixed[1]
        return rows, square if rows == square else beside(rows)

    def spans(self, height: int, width: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """The rows and the columns of the tiles of a picture of that size.

        Raises:
            ImageError: the picture is larger than what a model takes that cannot be tiled.
        """
        lengths, sides = (height, width), self.sides(height, width)
        _log.debug("%dx%d pixels, tiles of %s", width, height, _named(sides))
        too_large = any(fixed and fixed < length for fixed, length in zip(self._fixed, lengths, strict=True))
        if too_large and not can_tile(self._fixed, self._tiles):
            raise ImageError(
                f"{self._name!r} takes {_named(self._fixed)} pixels only and cannot be laid over a picture of"
                f" {width}x{height} in tiles; make the picture smaller, or export the model for its size"
            )
        rows, columns = (
            cut(length, side if fixed or (side and side < length) else None, self._tiles, exact=fixed is not None)
            for length, side, fixed in zip(lengths, sides, self._fixed, strict=True)
        )
        return rows, columns

    def _check(self, tile: int) -> None:
        tiles = self._tiles
        if tiles.overlap is None:
            raise InputError(f"{self._name!r} looks at the whole picture at once and cannot be tiled; --tile off")
        least = max(2 * (tiles.overlap + tiles.step), tiles.minimum)
        if tile % tiles.multiple or tile < least:
            multiple = f"a multiple of {tiles.multiple} and " if tiles.multiple > 1 else ""
            raise InputError(f"--tile must be {multiple}at least {least} for {self._name!r}, not {tile}")


def fixed_sides(shape: Sequence[int | str], metadata: ModelMetadata) -> Sides:
    """The height and width of the tiles of a model whose input is ``shape``, ``None`` where any is taken.

    Raises:
        ModelFileError: the metadata contradicts the shape.
    """
    multiple = metadata.tile.multiple if metadata.tile else 1
    height, width = (side if isinstance(side, int) else None for side in shape[2:4])
    if any(side is not None and side % multiple for side in (height, width)):
        raise ModelFileError(
            f"{metadata.name!r} takes {_named((height, width))} pixels only, but says that its sides have to be"
            f" multiples of {multiple}"
        )
    return height, width


def largest_square(metadata: ModelMetadata) -> int | None:
    """The side of the largest square that the model takes; ``None`` for any, at once or in tiles."""
    sides = fixed_sides(metadata.inputs[0].shape, metadata)
    if can_tile(sides, metadata.tile or TileSpec()):
        return None
    return min((side for side in sides if side is not None), default=None)


def can_tile(sides: Sides, tiles: TileSpec) -> bool:
    """Whether tiles of exactly these sides can be laid over a picture: beside the overlaps something has to be left."""
    overlap = tiles.overlap
    return overlap is not None and all(side is None or side >= 2 * (overlap + tiles.step) for side in sides)


def _named(sides: Sides) -> str:
    height, width = ("any" if side is None else side for side in sides)
    return f"{width}x{height}"
