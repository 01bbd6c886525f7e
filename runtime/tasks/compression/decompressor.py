"""Decompression: a file of few bytes in, the picture out."""

import os
from typing import Any, overload

import numpy as np

from edgevision.core.errors import ImageError
from edgevision.imaging.network_tensors import NetworkTensors
from edgevision.imaging.picture_sources import ArrayColor, check_array_color
from edgevision.imaging.pictures import Picture
from edgevision.imaging.samples import Array, store
from edgevision.imaging.symbol_scales import RESTORED_SHIFT
from edgevision.imaging.tiling import Span, blend
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.compression.codec import PIXELS, Codec, padded, tile_spans
from edgevision.runtime.tasks.compression.compressor import CompressedPicture
from edgevision.runtime.tasks.compression.entropy_model import Symbols, SymbolStrip
from edgevision.runtime.tasks.compression.evc_file import EvcFile
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE, STRIDE
from edgevision.runtime.tasks.compression.symbol_coding import SymbolDecoder
from edgevision.runtime.tasks.pipeline import Pipeline, require_finite

CompressedSource = str | os.PathLike[str] | bytes | CompressedPicture
"""The path or the content of a file, or what a :class:`Compressor` gave."""


class Decompressor(Pipeline):
    """The synthesising half of a codec on an engine; call it on a compressed picture.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        codec: how bits become latents.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which this closes in turn; ``color`` is the order of channels in arrays of the results.

        Raises:
            ModelFileError: the metadata hold no entropy model.
        """
        self.engine = engine
        self.metadata = metadata
        self.codec = Codec(metadata)
        self._tensors = NetworkTensors(ImageSpec())
        self._color = check_array_color(color)

    @overload
    def __call__(self, files: CompressedSource) -> Picture: ...

    @overload
    def __call__(self, files: list[CompressedSource]) -> list[Picture]: ...

    def __call__(self, files: Any) -> Picture | list[Picture]:
        """The picture that was compressed, or several.

        Raises:
            ImageError: a file is damaged, of another format, or was written with another codec.
            DeviceError: the device failed.
        """
        if isinstance(files, list):
            return [self._decompress(file) for file in files]
        return self._decompress(files)

    def latents(self, file: EvcFile) -> Array:
        """The latents (C, h, w) that a file holds, float32.

        Raises:
            ImageError: it was written with another codec.
        """
        model = self.codec.entropy_model
        if file.codec != self.codec.name:
            raise ImageError(
                f"it was compressed by the codec {file.codec}, and {self.metadata.name!r} is the half of"
                f" {self.codec.name}; decompress it with the other half of its own --model"
            )
        if file.quality >= model.qualities:
            raise ImageError(f"it says that it is of quality {file.quality + 1}, of {model.qualities}")
        decoder = SymbolDecoder(self.codec.tables, self.codec.lanes(file.height, file.width), file.symbols)
        shape = padded(file.height) // PIXELS, padded(file.width) // PIXELS
        tables = model.hyper_tables[file.quality][:, None, None]
        hyper_symbols = decoder.read(np.broadcast_to(tables, (model.hyper_latents, *shape)))
        latents = np.empty((model.latents, *(HYPER_STRIDE * side for side in shape)), np.float32)
        gains = model.gains[file.quality][:, None, None]

        def read_strip(strip: SymbolStrip) -> Symbols:
            symbols = decoder.read(strip.tables)
            restored = (symbols + RESTORED_SHIFT * np.sign(symbols)) / gains[strip.channels]
            latents[strip.channels, strip.rows] = restored + strip.means
            return symbols

        model.each_strip(hyper_symbols, file.quality, read_strip)
        return latents

    def _decompress(self, source: CompressedSource) -> Picture:
        file = EvcFile.read(source.content if isinstance(source, CompressedPicture) else source)
        latents = self.latents(file)
        rows, columns = tile_spans(self.metadata, self.engine.inputs[0].shape, latents.shape[1:])
        dtype = np.uint16 if file.deep else np.uint8
        pixels = np.empty((file.height, file.width, 1 if file.gray else 3), dtype)

        def synthesise(row: Span, column: Span) -> Array:
            part = latents[:, row.start : row.stop, column.start : column.stop]
            missing = row.length - part.shape[1], column.length - part.shape[2]
            tile = np.pad(part, ((0, 0), (0, missing[0]), (0, missing[1])), mode="edge")[None]
            restored = self.engine.run({self.engine.inputs[0].name: tile})[0]
            return self._tensors.from_tensor(require_finite(restored, self.engine))

        for top, made in blend(rows, columns, (file.height, file.width, 3), STRIDE, synthesise):
            if file.gray:
                made = made.mean(axis=2, keepdims=True)
            store(made, pixels[top : top + len(made)])
        return Picture(pixels, file.alpha, **file.extras, array_color=self._color)
