"""A codec small enough to follow by hand: latents are the means of squares of 16 pixels, hyper-latents of 64.

Its entropy model is drawn, so that what it says of the latents is wrong: it costs bits and loses nothing.
"""

from typing import Any

import numpy as np
from fake_engine import FakeEngine

from edgevision.imaging.symbol_scales import SCALE_COUNT, frequency_tables
from edgevision.modelfiles.metadata import ImageSpec, ModelMetadata, TensorSpec, TileSpec
from edgevision.runtime.tasks.compression.compressor import Compressor
from edgevision.runtime.tasks.compression.decompressor import Decompressor
from edgevision.runtime.tasks.compression.entropy_model import UNIT, EntropyModel, IntegerLayer
from edgevision.runtime.tasks.compression.spec import CompressionSpec

COLOURS = 3
QUALITIES = 2
NAME = "00112233aabbccdd"


def drawn_layer(generator: np.random.Generator, channels: int, made: int, side: int) -> IntegerLayer:
    return IntegerLayer(
        generator.integers(-127, 128, (made, channels, side, side)).astype(np.int8),
        generator.integers(-UNIT, UNIT, made) << 6,
        np.full(made, 6, np.int64),
    )


def drawn_entropy_model(seed: int = 0, *, sliced: bool = True) -> EntropyModel:
    """Qualities 1 and 2 round to eighths and to fiftieths of black to white; one colour is coded before the others."""
    generator = np.random.default_rng(seed)
    gains = np.repeat(np.float32([[8], [50]]), COLOURS, axis=1)
    return EntropyModel(
        gains=gains,
        hyper_gains=gains,
        hyper_steps=np.rint(UNIT / gains).astype(np.int64),
        hyper_tables=np.full((QUALITIES, COLOURS), 40, np.uint8),
        offsets=np.full((QUALITIES, COLOURS), SCALE_COUNT // 2 * UNIT, np.int64),
        layers=(
            drawn_layer(generator, COLOURS, 8, 3),
            drawn_layer(generator, 2, 8, 3),
            drawn_layer(generator, 2, 2 if sliced else 2 * COLOURS, 1),
        ),
        contexts=((drawn_layer(generator, 3, 5, 3), drawn_layer(generator, 5, 4, 1)),) if sliced else (),
        frequencies=frequency_tables(),
    )


def spec(name: str = NAME) -> CompressionSpec:
    return CompressionSpec(codec=name, entropy_model=drawn_entropy_model().pack())


def compressor(name: str = NAME, tile: int = 1024) -> Compressor:
    metadata = ModelMetadata(
        task="compress",
        name="means",
        inputs=(TensorSpec(name="image", shape=("batch", 3, "height", "width")),),
        image=ImageSpec(),
        spec=spec(name),
        tile=TileSpec(size=tile, multiple=64, overlap=64),
    )

    def analyse(inputs: Any) -> list[Any]:
        (image,) = inputs.values()
        return [_means(image, 16), _means(image, 64)]

    return Compressor(FakeEngine(metadata.inputs, (), analyse), metadata)


def decompressor(name: str = NAME, tile: int = 64) -> Decompressor:
    metadata = ModelMetadata(
        task="decompress",
        name="squares",
        inputs=(TensorSpec(name="latents", shape=("batch", COLOURS, "height", "width")),),
        spec=spec(name),
        tile=TileSpec(size=tile, overlap=2),
    )

    def synthesise(inputs: Any) -> list[Any]:
        (latents,) = inputs.values()
        return [latents.repeat(16, axis=2).repeat(16, axis=3)]

    return Decompressor(FakeEngine(metadata.inputs, (), synthesise), metadata)


def _means(image: Any, side: int) -> Any:
    batch, channels, height, width = image.shape
    return image.reshape(batch, channels, height // side, side, width // side, side).mean(axis=(3, 5))
