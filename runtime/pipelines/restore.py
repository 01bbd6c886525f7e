"""Restoration: a damaged picture in, a better one of the same kind out, in tiles where it is large."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.errors import InputError, ModelFileError
from edgevision.images import ImageSource
from edgevision.metadata import ModelMetadata, Prediction, RestorationSpec, TileSpec
from edgevision.pictures import Picture
from edgevision.runtime.closing import Closing
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.pipelines.finite import finite
from edgevision.runtime.pipelines.planes import Array, Planes, Samples
from edgevision.tiling import Span, blend, cut, take

_log = logging.getLogger(__name__)

DEFAULT_MEMORY = 256 << 20
"""Bytes that the network may take for one tile where the user does not say otherwise."""

# What a network takes for each pixel of its input where the model does not say: 64 channels of float32, three times.
_BYTES_A_PIXEL = 768

# ONNX Runtime was seen to take 1.0 to 2.6 times what is alive at once: other buffers, copies in its own layout.
_ENGINE_SLACK = 2.5


class Restorer(Closing):
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
            memory: bytes that the network may take for one tile.

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
        self._fixed = fixed_side(engine.inputs[0].shape, metadata)
        if tile is not None and self._fixed and tile != self._fixed:
            raise InputError(
                f"{metadata.name!r} takes tiles of {self._fixed} pixels only, not --tile {tile or 'off'}; use auto"
            )
        if tile:
            self._check_tile(tile)

    def __call__(self, source: ImageSource | Picture) -> Picture:
        """Restore one picture; depth, alpha, colour profile and camera data are kept.

        Raises:
            ImageError: the picture cannot be decoded.
            DeviceError: the device failed.
        """
        picture = source if isinstance(source, Picture) else Picture.read(source)
        height, width = picture.size
        shape = (height * self.scale, width * self.scale, picture.pixels.shape[2])
        restored = np.empty(shape, picture.pixels.dtype)
        for top, rows in self.restore(picture.pixels):
            to_samples(rows, restored[top : top + len(rows)])
        return picture.with_pixels(restored, self._enlarged(picture.alpha))

    def restore(self, samples: Samples, *, network_colors: bool = False) -> Iterator[tuple[int, Array]]:
        """The restored rows from top to bottom, float32 (n, width, channels) around 0..1, not clipped.

        With ``network_colors`` they are in the network's own colour space instead of the picture's.
        """
        height, width = samples.shape[:2]
        side = self.tile_side(height, width)
        _log.debug("%dx%d pixels, tiles of %s", width, height, side or "all")
        rows, columns = self._cut(height, side), self._cut(width, side)

        def process(row: Span, column: Span) -> Array:
            tile: Any = take(samples, row, column)
            restored = self.planes.from_tensor(self._infer(self.planes.to_tensor(tile)))
            return restored if network_colors else self.planes.assemble(restored, tile)

        channels = self.planes.channels(samples) if network_colors else samples.shape[2]
        shape = (height * self.scale, width * self.scale, channels)
        yield from blend(rows, columns, shape, self.scale, process)

    def tile_side(self, height: int, width: int) -> int | None:
        """The side of the tiles for a picture of that size, or ``None`` for all of it at once."""
        if self._fixed:
            return self._fixed
        if self._tile == 0 or self._tiles.overlap is None:
            return None
        if self._tile:
            return self._tile
        pixels = int(self._memory / (_ENGINE_SLACK * (self._tiles.memory or _BYTES_A_PIXEL)))
        multiple = self._tiles.multiple
        padded = -(-height // multiple) * -(-width // multiple) * multiple**2
        if padded <= pixels:
            return None
        side = int(pixels**0.5) // multiple * multiple
        # What is spent on the overlaps would be more than what is gained.
        least = 3 * self._tiles.overlap + 2 * multiple
        return max(side, -(-least // multiple) * multiple)

    def close(self) -> None:
        """Free the model's memory."""
        self.engine.close()

    def _cut(self, length: int, side: int | None) -> tuple[Span, ...]:
        if side is not None and side >= length and not self._fixed:
            side = None
        return cut(length, side, overlap=self._tiles.overlap or 0, multiple=self._tiles.multiple)

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
        if self.spec.predicts is Prediction.NOISE:
            output = tensor - output
        return finite(output, self.engine).astype(np.float32, copy=False)  # type: ignore[no-any-return]

    def _enlarged(self, alpha: NDArray[Any] | None) -> Any:
        if alpha is None or self.scale == 1:
            return alpha
        size = alpha.shape[1] * self.scale, alpha.shape[0] * self.scale
        return np.asarray(Image.fromarray(alpha).resize(size, Image.Resampling.BICUBIC))

    def _check_tile(self, tile: int) -> None:
        multiple, overlap = self._tiles.multiple, self._tiles.overlap
        if overlap is None:
            raise InputError(
                f"{self.metadata.name!r} looks at the whole picture at once and cannot be tiled; --tile off"
            )
        least = 2 * (overlap + multiple)
        if tile % multiple or tile < least:
            raise InputError(
                f"--tile must be a multiple of {multiple} and at least {least} for {self.metadata.name!r}, not {tile}"
            )


def to_samples(rows: Array, target: NDArray[Any]) -> None:
    """Round ``rows`` (0..1, clipped) into ``target``, uint8 or uint16 of the same shape; ``rows`` is used up."""
    maximum = np.iinfo(target.dtype).max
    rows *= maximum
    np.rint(rows, out=rows)
    np.clip(rows, 0, maximum, out=rows)
    target[...] = rows


def fixed_side(shape: Sequence[int | str], metadata: ModelMetadata) -> int | None:
    """The side of the tiles of a model whose input is ``shape``, if it takes one size only; curves need no tiles.

    Raises:
        ModelFileError: tiles of that size cannot be laid over a picture.
    """
    height, width = shape[2:4]
    draws_curves = metadata.restoration is not None and metadata.restoration.predicts is Prediction.CURVES
    if draws_curves or not isinstance(height, int) or not isinstance(width, int):
        return None
    if height != width:
        raise ModelFileError(f"{metadata.name!r} takes {width}x{height} pixels only; tiles have to be square")
    if metadata.tile is None or metadata.tile.overlap is None:
        raise ModelFileError(
            f"{metadata.name!r} takes {width}x{height} pixels only and does not say how tiles have to overlap;"
            " export it for any size, or with a tile in its metadata"
        )
    least = 2 * (metadata.tile.overlap + metadata.tile.multiple)
    if height % metadata.tile.multiple or height < least:
        raise ModelFileError(
            f"{metadata.name!r} takes {width}x{height} pixels only, but with an overlap of {metadata.tile.overlap} its"
            f" tiles have to be multiples of {metadata.tile.multiple} and at least {least}"
        )
    return height
