"""Compression: a picture in, a file of few bytes out."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from edgevision.core.atomic_files import atomic_file
from edgevision.core.errors import InputError, ModelFileError, OutputError
from edgevision.imaging.network_tensors import NetworkTensors
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
from edgevision.imaging.samples import Samples
from edgevision.imaging.symbol_scales import SQUARE_BITS
from edgevision.imaging.tiling import Span
from edgevision.imaging.transparency import continue_colours
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.compression.codec import PIXELS, Codec, padded, tile_spans
from edgevision.runtime.tasks.compression.entropy_model import LARGEST_SYMBOL, Symbols, SymbolStrip
from edgevision.runtime.tasks.compression.evc_file import SUFFIX, EvcFile
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE, STRIDE
from edgevision.runtime.tasks.compression.symbol_coding import SymbolEncoder
from edgevision.runtime.tasks.pipeline import Pipeline, require_finite

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class CompressedPicture:
    """A picture in few bytes: ``content`` is that of a file ``.evc`` of a picture of ``height`` and ``width``."""

    content: bytes
    height: int
    width: int

    @property
    def bits_per_pixel(self) -> float:
        """Of the whole file."""
        return 8 * len(self.content) / (self.height * self.width)

    def to_dict(self) -> dict[str, Any]:
        """Bytes, width, height and bits a pixel."""
        bits = round(self.bits_per_pixel, 4)
        return {"bytes": len(self.content), "width": self.width, "height": self.height, "bits_per_pixel": bits}

    def to_rows(self) -> list[dict[str, Any]]:
        """:meth:`to_dict`, for a table of many."""
        return [self.to_dict()]

    def save(self, path: str | os.PathLike[str], *, force: bool = True) -> None:
        """Write the file; raises as :meth:`.Result.save`."""
        target = Path(path)
        check_suffix(target)
        with atomic_file(target, force=force) as temporary:
            temporary.write_bytes(self.content)

    def compare(self, reference: "CompressedPicture") -> Mapping[str, float]:
        """``bits_per_pixel`` more than the ``reference`` takes."""
        if (self.height, self.width) != (reference.height, reference.width):
            raise ValueError(f"pictures to compare must be of one size, not {self!r} and {reference!r}")
        return {"bits_per_pixel": self.bits_per_pixel - reference.bits_per_pixel}

    def __repr__(self) -> str:
        return f"CompressedPicture({len(self.content)} bytes, width={self.width}, height={self.height})"


def check_suffix(path: Path) -> None:
    """:class:`OutputError` for the name of a compressed picture that does not end in ``.evc``."""
    if path.suffix.lower() != SUFFIX:
        raise OutputError(f"a compressed picture is written as {SUFFIX}, not {path.name!r}")


class Compressor(Pipeline):
    """The analysing half of a codec on an engine; call it on a picture.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        codec: how latents become bits.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which this closes in turn; ``color`` is the order of channels in arrays of pictures.

        Raises:
            ModelFileError: the metadata do not describe the picture, or hold no entropy model.
        """
        if metadata.image is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how a picture becomes an input")
        self.engine = engine
        self.metadata = metadata
        self.codec = Codec(metadata)
        self._tensors = NetworkTensors(metadata.image)
        self._color = check_array_color(color)

    @property
    def qualities(self) -> int:
        """How many there are: 1 has the smallest files."""
        return self.codec.entropy_model.qualities

    @overload
    def __call__(self, images: Batch, *, quality: int | None = None) -> list[CompressedPicture]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, images: ImageSource, *, quality: int | None = None) -> CompressedPicture: ...

    @overload
    def __call__(self, images: ImageSources[Source], *, quality: int | None = None) -> list[CompressedPicture]: ...

    def __call__(self, images: Any, *, quality: int | None = None) -> CompressedPicture | list[CompressedPicture]:
        """Compress a picture, or several.

        Depth, alpha, colour profile and camera data are kept, alpha to the last bit. What is transparent gets the
        colours around it, which take fewer bits.

        Args:
            quality: from 1, the smallest files, to :attr:`qualities`, by default the middle one.

        Raises:
            InputError: there is no such quality.
            ImageError: a picture cannot be decoded.
            DeviceError: the device failed.
        """
        chosen = self.chosen_quality(quality)
        pictures, several = split_pictures(images, self._color)
        made = [self._compressed(Picture.read(picture), [chosen - 1])[0] for picture in pictures]
        return made if several else made[0]

    def every_quality(self, picture: ImageSource) -> list[CompressedPicture]:
        """A picture in all qualities, the smallest file first; raises as a call."""
        (read,), _ = split_pictures([picture], self._color)
        return self._compressed(Picture.read(read), range(self.qualities))

    def chosen_quality(self, quality: int | None) -> int:
        """``quality``, or the middle one; :class:`InputError` where there is no such."""
        chosen = (self.qualities + 1) // 2 if quality is None else quality
        if not 1 <= chosen <= self.qualities:
            raise InputError(f"the quality is from 1 to {self.qualities}, not {chosen}")
        return chosen

    def _compressed(self, picture: Picture, qualities: Iterable[int]) -> list[CompressedPicture]:
        seen = picture.pixels if picture.alpha is None else continue_colours(picture.pixels, picture.alpha)
        extras = {name: getattr(picture, name) for name in ("icc_profile", "exif", "xmp")}
        alpha = picture.alpha
        if alpha is not None and alpha.dtype == np.float32:
            alpha = np.rint(alpha * 65535).astype(np.uint16)
        latents, hyper_latents = self._analysed(seen)
        lanes = self.codec.lanes(picture.height, picture.width)
        made = []
        for quality in qualities:
            file = EvcFile(
                codec=self.codec.name,
                quality=quality,
                height=picture.height,
                width=picture.width,
                gray=picture.pixels.shape[2] == 1,
                deep=picture.pixels.dtype != np.uint8,
                symbols=self._symbols(latents, hyper_latents, quality, lanes),
                alpha=alpha,
                extras={name: content for name, content in extras.items() if content},
            )
            made.append(CompressedPicture(file.to_bytes(), picture.height, picture.width))
        return made

    def _symbols(self, latents: Array, hyper_latents: Array, quality: int, lanes: int) -> bytes:
        model = self.codec.entropy_model
        encoder = SymbolEncoder(self.codec.tables, lanes)

        def write(scaled: Array, tables: NDArray[np.uint8]) -> Symbols:
            symbols = self._chosen(scaled, tables)
            encoder.write(symbols, tables)
            return symbols

        def write_strip(strip: SymbolStrip) -> Symbols:
            part = latents[strip.channels, strip.rows] - strip.means
            return write(part * model.gains[quality, strip.channels, None, None], strip.tables)

        tables = np.broadcast_to(model.hyper_tables[quality][:, None, None], hyper_latents.shape)
        hyper_symbols = write(hyper_latents * model.hyper_gains[quality][:, None, None], tables)
        model.each_strip(hyper_symbols, quality, write_strip)
        return encoder.content()

    def _chosen(self, scaled: Array, tables: NDArray[np.uint8]) -> Symbols:
        """Of the integers on both sides of latents in steps those whose bits and errors cost least."""
        size = np.abs(scaled).clip(max=LARGEST_SYMBOL - 1)
        steps = np.floor(size)
        # The nearer one to 0 always takes fewer bits: it is chosen where it is the nearest too.
        upper = np.nonzero(size - steps > 0.5)
        low, seen = steps[upper].astype(np.int32), tables[upper]
        more = self.codec.tables.bits(low + 1, seen) - self.codec.tables.bits(low, seen)
        steps[upper] += more < SQUARE_BITS * (2 * (size[upper] - low) - 1)
        symbols: Symbols = np.copysign(steps, scaled).astype(np.int32)
        return symbols

    def _analysed(self, pixels: Samples) -> tuple[Array, Array]:
        """Latents (C, h, w) and hyper-latents (D, h / 4, w / 4) of all of a picture, which is seen tile by tile."""
        height, width = pixels.shape[:2]
        rows, columns = tile_spans(self.metadata, self.engine.inputs[0].shape, pixels.shape[:2])
        shape = padded(height) // PIXELS, padded(width) // PIXELS
        model = self.codec.entropy_model
        hyper_latents = np.empty((model.hyper_latents, *shape), np.float32)
        latents = np.empty((model.latents, *(HYPER_STRIDE * side for side in shape)), np.float32)
        for row, (top, bottom) in zip(rows, _own_parts(rows), strict=True):
            for column, (left, right) in zip(columns, _own_parts(columns), strict=True):
                tile = self._tensors.to_tensor(_taken(pixels, row, column))
                outputs = self.engine.run({self.engine.inputs[0].name: tile})
                for whole, output, pitch in zip((latents, hyper_latents), outputs, (STRIDE, PIXELS), strict=True):
                    place = whole[:, top // pitch : bottom // pitch, left // pitch : right // pitch]
                    down, across = (top - row.start) // pitch, (left - column.start) // pitch
                    part = output[0, :, down : down + place.shape[1], across : across + place.shape[2]]
                    place[...] = require_finite(part, self.engine)
        return latents, hyper_latents


def _own_parts(spans: tuple[Span, ...]) -> list[tuple[int, int]]:
    """The part of each span that no other has: they meet in the middle of what they share."""
    middles = [(left.stop + right.start) // 2 // PIXELS * PIXELS for left, right in pairwise(spans)]
    return list(zip([spans[0].start, *middles], [*middles, spans[-1].stop], strict=True))


def _taken(pixels: Samples, row: Span, column: Span) -> Samples:
    """The tile at the two spans, the last samples repeated where they reach beyond the picture: these cost no bits."""
    inside = pixels[row.start : row.stop, column.start : column.stop]
    missing = row.length - inside.shape[0], column.length - inside.shape[1]
    return np.pad(inside, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else inside
